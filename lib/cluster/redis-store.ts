import { RedisConnection, type RedisConnectionOptions } from './redis-connection.js'
import type { ScriptName } from './redis-scripts.js'
import {
  bytesOf, MESSAGE_BYTES, VALUE_BYTES, writeTo, type DirectoryEntry, type Fields, type Held, type Holder, type LeaseState, type Message, type NodeEntry,
  type NodeState, type Opened, type Opening, type Page, type RateLimit, type Room, type Store, type Write, type Written
} from './store.js'

export interface RedisStoreOptions extends RedisConnectionOptions {
  /** What all keys and channels begin with: fleets with different ones share a Redis and nothing else. */
  prefix: string
}

/** The store of a fleet: one command a method, over one connection, and another to listen. */
export class RedisStore implements Store {
  readonly #prefix: string
  readonly #commands: RedisConnection
  readonly #messages: RedisConnection

  constructor ({ prefix, ...options }: RedisStoreOptions) {
    this.#prefix = prefix
    this.#commands = new RedisConnection(options)
    this.#messages = new RedisConnection({ url: options.url })
  }

  get up (): boolean {
    return this.#commands.up
  }

  async start (): Promise<void> {
    const both = await Promise.allSettled([this.#commands.connect(), this.#messages.connect()])
    for (const result of both) if (result.status === 'rejected') throw result.reason
  }

  async put (space: string, name: string, fields: Fields, ttlMs: number, room?: Room): Promise<'kept' | 'full'> {
    if (bytesOf(fields) > VALUE_BYTES) return 'full'
    return await this.#run('put', ...told({ space, name, put: fields, ttlMs, room })) as 'kept' | 'full'
  }

  async patch (space: string, name: string, change: { set?: Fields, remove?: string[] }, ttlMs: number): Promise<Written> {
    // What cannot fit is not even sent; but who is late learns that it is.
    if (bytesOf(change.set ?? {}) > VALUE_BYTES) return await this.get(space, name) === null ? 'gone' : 'full'
    return await this.#run('patch', ...told({ space, name, patch: change, ttlMs })) as Written
  }

  async get (space: string, name: string): Promise<Fields | null> {
    return toFields(await this.#run('get', space, name))
  }

  async take (space: string, name: string, holder?: string): Promise<Fields | null> {
    return toFields(await this.#run('take', space, name, ...holder === undefined ? [] : [holder]))
  }

  async delete (space: string, name: string): Promise<boolean> {
    return await this.#run('delete', ...told({ space, name, delete: true })) === 'kept'
  }

  async count ({ name, perMinute }: RateLimit): Promise<number> {
    return Number(await this.#run('count', name, String(perMinute)))
  }

  async join (node: NodeState, sessions: Held[]): Promise<void> {
    await this.#run('join', ...stateOf(node), JSON.stringify(sessions.map(({ id, places }) => [id, places])))
  }

  async beat (node: NodeState): Promise<LeaseState> {
    return await this.#run('beat', ...stateOf(node)) as LeaseState
  }

  async leave ({ node, instance }: Holder): Promise<void> {
    await this.#run('leave', node, instance)
  }

  async nodes (limit: number, after = ''): Promise<Page<NodeEntry>> {
    const [more, page] = await this.#run('nodes', String(limit), after) as [number, [string, string, string, number, number][]]
    const data = page.map(([name, draining, limit, sessions, silentMs]): NodeEntry => ({ name, draining: draining === '1', limit: Number(limit), sessions, silentMs }))
    return { data, next: more === 1 ? data.at(-1)!.name : null }
  }

  async openSession ({ node, instance }: Holder, { id, places, rate }: Opening): Promise<Opened> {
    const counted = rate === null ? ['', ''] : [rate.name, String(rate.perMinute)]
    const wanted = places.flatMap(({ name, most }) => [name, most === null ? '' : String(most)])
    const [what, more] = await this.#run('open', node, instance, id, ...counted, ...wanted) as ['admitted' | 'lease' | 'rate' | 'place', string | number]
    switch (what) {
      case 'admitted': return { admitted: true }
      case 'lease': return { admitted: false, because: 'lease' }
      case 'rate': return { admitted: false, because: 'rate', seconds: Number(more) }
      case 'place': return { admitted: false, because: 'place', place: String(more), most: places.find(({ name }) => name === more)!.most! }
    }
  }

  async closeSession ({ node, instance }: Holder, { id, places }: Held, last?: Write): Promise<Written | null> {
    const close = async (...more: string[]) => await this.#run('close', node, instance, id, String(places.length), ...places, ...more)
    const fits = last !== undefined && sizeOf(last) <= VALUE_BYTES
    const written = await (fits ? close(kindOf(last), ...told(last)) : close())
    if (last === undefined) return null
    return fits ? written as Written : await writeTo(this, last)
  }

  async sessions (limit: number, after = ''): Promise<Page<DirectoryEntry>> {
    const [, from = '', score = ''] = /^([\w.-]*)~(\d{1,17})$/.exec(after) ?? []
    const [more, page] = await this.#run('sessions', String(limit), from, score) as [number, [string, string, string, number][]]
    const [, node, last] = page.at(-1) ?? []
    return { data: page.map(([id, node, , ageMs]) => ({ id, node, ageMs })), next: more === 1 ? `${node}~${last}` : null }
  }

  async locate (id: string): Promise<string | null> {
    return await this.#run('locate', id) as string | null
  }

  async send (to: string | null, message: Message): Promise<number> {
    const text = JSON.stringify(message)
    if (Buffer.byteLength(text) > MESSAGE_BYTES) return 0
    return await this.#commands.publish(this.#channel(to), text)
  }

  async listen (node: string, onMessage: (message: Message) => void): Promise<() => Promise<void>> {
    let listening = true
    const channels = [this.#channel(node), this.#channel(null)]
    const heard = (text: string): void => {
      if (listening) onMessage(JSON.parse(text) as Message)
    }
    await this.#messages.subscribe(channels, heard)
    return async () => {
      listening = false
      await this.#messages.unsubscribe(channels, heard)
    }
  }

  async end (): Promise<void> {
    this.#commands.end()
    this.#messages.end()
  }

  #channel (node: string | null): string {
    return node === null ? `${this.#prefix}:all` : `${this.#prefix}:to:${node}`
  }

  async #run (name: ScriptName, ...args: string[]): Promise<unknown> {
    return await this.#commands.run(name, this.#prefix, args)
  }
}

function kindOf (write: Write): 'put' | 'patch' | 'delete' {
  return 'put' in write ? 'put' : 'patch' in write ? 'patch' : 'delete'
}

function sizeOf (write: Write): number {
  return bytesOf('put' in write ? write.put : 'patch' in write ? write.patch.set ?? {} : {})
}

/** A write as its script wants it. */
function told (write: Write): string[] {
  const { space, name } = write
  if ('put' in write) {
    const { put, ttlMs, room } = write
    const bounds = room === undefined ? ['', ''] : [String(room.entries), String(room.bytes)]
    return [space, name, whole(ttlMs), ...bounds, String(bytesOf(put)), ...Object.entries(put).flat()]
  }
  if ('patch' in write) {
    const { patch: { set = {}, remove = [] }, ttlMs } = write
    const texts = Object.entries(set).flat()
    return [space, name, whole(ttlMs), String(texts.length), ...texts, ...remove]
  }
  return [space, name]
}

function stateOf ({ node, instance, leaseMs, draining, limit }: NodeState): string[] {
  return [node, instance, whole(leaseMs), draining ? '1' : '0', String(limit)]
}

/** Redis counts in whole milliseconds; none at all would be an error. */
function whole (ms: number): string {
  return String(Math.max(1, Math.ceil(ms)))
}

/** Fields as a hash has them: each behind a dot, beside the count of their bytes. */
function toFields (flat: unknown): Fields | null {
  if (flat === null) return null
  const texts = flat as string[]
  const fields: Fields = {}
  for (let at = 0; at < texts.length; at += 2) if (texts[at] !== '#') fields[texts[at]!.slice(1)] = texts[at + 1]!
  return fields
}
