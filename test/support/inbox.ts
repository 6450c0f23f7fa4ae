export interface Event { type: string }
/** Of a union its member of that type; of anything else, itself. */
type Of<E extends Event, T extends string> = [Extract<E, { type: T }>] extends [never] ? E : Extract<E, { type: T }>

/** The events a client library hands out, in order, to be waited for by type. */
export class Inbox<E extends Event = Event & Record<string, any>> {
  readonly events: E[] = []
  #read = 0
  #waiting: (() => void)[] = []

  readonly push = (event: E): void => {
    this.events.push(event)
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** The next event of a type, counting from the last one that was waited for; an unexpected `error` fails at once. */
  async next<T extends string> (type: T, where: (event: Of<E, T>) => boolean = () => true): Promise<Of<E, T>> {
    for (;;) {
      while (this.#read < this.events.length) {
        const event = this.events[this.#read++]! as Of<E, T>
        if (event.type === type && where(event)) return event
        if (event.type === 'error' && type !== 'error') throw new Error(`Expected ${type}, but met: ${JSON.stringify(event)}`)
      }
      await new Promise<void>(resolve => { this.#waiting.push(resolve) })
    }
  }

  /** The first event of a type, whether it has come already or not. */
  async first<T extends string> (type: T, where: (event: Of<E, T>) => boolean = () => true): Promise<Of<E, T>> {
    for (;;) {
      const found = this.of(type).find(where)
      if (found !== undefined) return found
      await new Promise<void>(resolve => { this.#waiting.push(resolve) })
    }
  }

  of<T extends string> (type: T): Of<E, T>[] {
    return this.events.filter(event => event.type === type) as Of<E, T>[]
  }

  /** Types of the events so far, runs of the same delta as one. */
  types (from = 0): string[] {
    return this.events.slice(from).map(event => event.type).filter((type, index, all) => !type.endsWith('.delta') || type !== all[index - 1])
  }
}
