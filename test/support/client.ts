import { once } from 'node:events'
import type { TSchema } from '@sinclair/typebox'
import { TypeCompiler, type TypeCheck } from '@sinclair/typebox/compiler'
import { WebSocket, type ClientOptions } from 'ws'
import { serverEvents, type ServerEvent, type ServerEventType } from '../../lib/realtime/events/server.js'

type Of<T extends ServerEventType> = Extract<ServerEvent, { type: T }>

const checks = new Map<string, TypeCheck<TSchema>>(serverEvents.map(schema => [schema.properties.type.const, TypeCompiler.Compile(schema as TSchema)]))

/** A client that keeps every event in order, and refuses one whose shape is not that of its schema. */
export class TestClient {
  readonly events: ServerEvent[] = []
  readonly socket: WebSocket
  readonly closed: Promise<{ code: number, reason: string }>
  #waiters = new Set<() => void>()
  #read = 0
  #broken: Error | null = null

  private constructor (socket: WebSocket) {
    this.socket = socket
    this.closed = new Promise(resolve => socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })))
    socket.on('message', data => this.#take(String(data)))
    socket.on('close', () => this.#wake())
  }

  /** Connects, and reads `session.created`. */
  static async connect (url: string, protocols: string[] = [], options: ClientOptions = {}): Promise<TestClient> {
    const socket = new WebSocket(url, protocols, options)
    const client = new TestClient(socket)
    await once(socket, 'open')
    await client.next('session.created')
    return client
  }

  send (event: Record<string, unknown> & { type: string }): void {
    this.socket.send(JSON.stringify(event))
  }

  /** The next event of a type, counting from the last one that was waited for; an unexpected `error` fails at once. */
  async next<T extends ServerEventType> (type: T, where: (event: Of<T>) => boolean = () => true): Promise<Of<T>> {
    for (;;) {
      while (this.#read < this.events.length) {
        const event = this.events[this.#read++]!
        if (event.type === type && where(event as Of<T>)) return event as Of<T>
        if (event.type === 'error' && type !== 'error') throw new Error(`Expected ${type}, but the server says: ${JSON.stringify(event.error)}`)
      }
      if (this.#broken !== null) throw this.#broken
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`The socket closed before ${type}.`)
      await this.#change()
    }
  }

  /** Types of the events so far, runs of the same delta as one. */
  types (from = 0): string[] {
    return this.events.slice(from).map(event => event.type).filter((type, index, all) => !type.endsWith('.delta') || type !== all[index - 1])
  }

  of<T extends ServerEventType> (type: T): Of<T>[] {
    return this.events.filter(event => event.type === type) as Of<T>[]
  }

  /** Lets go of the events so far. */
  forget (): void {
    this.events.length = 0
    this.#read = 0
  }

  say (text: string): void {
    this.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] } })
  }

  /** Says something in writing, asks for an answer, and returns what was answered. */
  async ask (text: string, response: Record<string, unknown> = { output_modalities: ['text'] }): Promise<string> {
    this.say(text)
    return textOf(await this.respond(response))
  }

  /** Asks for an answer, and returns the response when it is done. */
  async respond (response?: Record<string, unknown>): Promise<Of<'response.done'>['response']> {
    this.send({ type: 'response.create', ...response === undefined ? {} : { response } })
    return (await this.next('response.done')).response
  }

  /** An item, as the server has it. */
  async retrieve (id: string): Promise<Of<'conversation.item.retrieved'>['item']> {
    this.send({ type: 'conversation.item.retrieve', item_id: id })
    return (await this.next('conversation.item.retrieved')).item
  }

  /** Appends audio to the input buffer in one event, or in one for every `chunkMs`. */
  append (samples: Int16Array, chunkMs?: number): void {
    const length = chunkMs === undefined ? samples.length : chunkMs * 24
    for (let at = 0; at < samples.length; at += length) {
      const chunk = samples.subarray(at, at + length)
      const audio = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('base64')
      this.send({ type: 'input_audio_buffer.append', audio })
    }
  }

  /** Sends `session.update` and returns the session it made. */
  async update (session: Record<string, unknown>): Promise<Of<'session.updated'>['session']> {
    this.send({ type: 'session.update', session: { type: 'realtime', ...session } })
    return (await this.next('session.updated')).session
  }

  /** Sends `session.characters.reload`, and returns the report of the new cast and the session that it made. */
  async reload (request: Record<string, unknown>) {
    this.send({ type: 'session.characters.reload', ...request })
    const report = await this.next('session.characters.reloaded')
    return { report, session: (await this.next('session.updated')).session }
  }

  /** Sends `session.characters.list`, and returns the answer. */
  async listCharacters (): Promise<Of<'session.characters.listed'>> {
    this.send({ type: 'session.characters.list' })
    return await this.next('session.characters.listed')
  }

  /** Sends an event that is to fail, and returns the error. */
  async fail (event: Record<string, unknown> & { type: string }): Promise<Of<'error'>['error']> {
    this.send(event)
    return (await this.next('error')).error
  }

  /** Resolves when everything sent so far has been answered, as far as the answers need no waiting; leaves no trace in the events. */
  async settle (): Promise<void> {
    const from = this.events.length
    this.send({ type: 'session.characters.list' })
    for (;;) {
      const index = this.events.findIndex(({ type }, index) => index >= from && type === 'session.characters.listed')
      if (index !== -1) {
        this.events.splice(index, 1)
        return
      }
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('The socket closed.')
      await this.#change()
    }
  }

  /** All audio of the answers so far, or of one item. */
  audio (itemId?: string): Int16Array {
    const bytes = Buffer.concat(this.of('response.output_audio.delta')
      .filter(event => itemId === undefined || event.item_id === itemId)
      .map(event => Buffer.from(event.delta, 'base64')))
    return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  }

  async close (): Promise<void> {
    this.socket.close(1000)
    await this.closed
  }

  #take (data: string): void {
    const event = JSON.parse(data) as ServerEvent
    const fault = faultOf(event)
    if (fault !== null) this.#broken = new Error(fault)
    this.events.push(event)
    this.#wake()
  }

  #change (): Promise<void> {
    return new Promise(resolve => this.#waiters.add(resolve))
  }

  #wake (): void {
    for (const wake of this.#waiters) wake()
    this.#waiters.clear()
  }
}

function faultOf (event: { type: string }): string | null {
  const check = checks.get(event.type)
  if (check === undefined) return `Unknown event ${event.type}`
  const value: unknown = event
  return check.Check(value) ? null : `${event.type} is not as its schema says: ${JSON.stringify(check.Errors(value).First())}`
}

/** The words of a response, written or spoken. */
export function textOf (response: Of<'response.done'>['response']): string {
  return response.output.flatMap(item => item.type === 'message' && item.role === 'assistant'
    ? item.content.map(part => 'text' in part ? part.text : part.transcript ?? '')
    : []).join(' ')
}
