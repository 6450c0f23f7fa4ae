import { MemoryStore } from './memory-store.js'
import type { StoreCall, StoreReply } from './remote-store.js'
import type { Holder, Store } from './store.js'

/** A process that asks for what another has. */
export interface StoreGuest {
  /** Does what it asks; every call is answered. */
  take (call: StoreCall): void
  /** It has ended: what its leases hold is free at once, and it is told nothing more. */
  gone (): void
}

/** The store of the processes of one machine, in the memory of one of them. */
export class StoreHost {
  readonly #store: Store

  constructor (store: Store = new MemoryStore()) {
    this.#store = store
  }

  /** @param reply tells the process; ignored when it is gone */
  admit (reply: (reply: StoreReply) => void): StoreGuest {
    const store = this.#store
    /** By the name of the node. */
    const leases = new Map<string, Holder>()
    const listeners = new Map<number, Promise<() => Promise<void>>>()
    let here = true

    const unlisten = async (listener: number): Promise<void> => {
      const stop = listeners.get(listener)
      listeners.delete(listener)
      await (await stop)?.()
    }

    const run = async (call: StoreCall): Promise<unknown> => {
      if (call.method === 'unlisten') return await unlisten(call.listener)
      if (call.method === 'listen') {
        const stop = store.listen(call.node, message => reply({ listener: call.id, message }))
        // At once: the next call may be to end it.
        listeners.set(call.id, stop)
        await stop
        return
      }
      if (call.method === 'join') {
        const [{ node, instance }] = call.args as Parameters<Store['join']>
        leases.set(node, { node, instance })
      }
      return await (store[call.method] as (...args: unknown[]) => Promise<unknown>)(...call.args)
    }

    return {
      take: call => {
        // What a process said last may be read when it is known to be gone.
        if (!here) return
        run(call).then(value => reply({ id: call.id, value }), (error: Error) => reply({ id: call.id, fault: error.message }))
      },
      gone: () => {
        here = false
        for (const listener of [...listeners.keys()]) unlisten(listener).catch(() => {})
        for (const holder of leases.values()) store.leave(holder).catch(() => {})
      }
    }
  }

  async end (): Promise<void> {
    await this.#store.end()
  }
}
