import { once } from 'node:events'
import { WebSocket } from 'ws'
import { parseClientEvent } from '../../../lib/realtime/events/parse.js'
import { createBeta } from '../../../lib/realtime/dialects/beta.js'
import type { Frame } from './mutations.js'

interface Received { type: string, request_event_id?: string, response?: { status: string, metadata?: Record<string, string> | null }, item?: { id: string }, error?: { event_id: string | null, code: string, message: string }, [key: string]: unknown }

const BETA = { 'openai-beta': 'realtime=v1' }
let count = 0

/** A client that sends whatever it is given, and then wants to be served like any other. Keeps nothing of what it has read. */
export class Attacker {
  readonly socket: WebSocket
  readonly closed: Promise<number>
  readonly #beta: boolean
  #waiting: ((event: Received) => void) | null = null
  /** Errors told since the last check, and those that the frames sent must have made. */
  #told = 0
  #due = 0
  #fault: string | null = null

  private constructor (socket: WebSocket, beta: boolean) {
    this.socket = socket
    this.#beta = beta
    this.closed = once(socket, 'close').then(([code]) => code)
    socket.on('message', data => this.#take(String(data)))
  }

  static async connect (url: string, beta = false): Promise<Attacker> {
    const attacker = new Attacker(new WebSocket(url, { headers: beta ? BETA : {} }), beta)
    await once(attacker.socket, 'open')
    return attacker
  }

  send ({ data, binary }: Frame): void {
    this.socket.send(data, { binary })
    const parsed = binary ? null : parseClientEvent(String(data), this.#beta ? createBeta('conv_x') : null)
    if (parsed === null || parsed.error !== undefined) this.#due++
  }

  /**
   * Whether the session still does what it should: each well-formed event is answered, and each frame that was
   * none was answered by an error. Resolves with what is wrong, or null.
   */
  async check (): Promise<string | null> {
    const id = `check_${count++}`
    const ask = (event: { type: string, [key: string]: unknown }, isAnswer: (event: Received) => boolean) => this.#ask({ ...event, event_id: id }, isAnswer)
    const text = this.#beta ? { modalities: ['text'] } : { output_modalities: ['text'] }
    const faults = [
      // Reloads are answered one after another, and one may take the conversation with it: this is the last.
      await ask({ type: 'session.characters.reload', directory: 'default' }, event => event.type === 'session.characters.reloaded' && event.request_event_id === id),
      // Frames are handled in order: all that was sent before has been answered.
      this.#told < this.#due ? `${this.#due} frames were wrong, but ${this.#told} errors were told` : null,
      await ask({ type: 'input_audio_buffer.clear' }, event => event.type === 'input_audio_buffer.cleared'),
      await ask({ type: 'conversation.item.create', item: { id, type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] } },
        event => /^conversation\.item\.(created|done)$/.test(event.type) && event.item!.id === id),
      await ask({ type: 'response.create', response: { conversation: 'none', ...text, input: [], tools: [], metadata: { id } } },
        event => event.type === 'response.done' && event.response!.metadata?.id === id),
      await ask({ type: 'conversation.item.delete', item_id: id }, event => event.type === 'conversation.item.deleted')
    ]
    this.#due = this.#told = 0
    return this.#fault ?? faults.find(fault => fault !== null) ?? null
  }

  /** Sends one event that fits its schema; whether anything came of it at once. What is never answered, or only later, counts as answered. */
  async isAnswered (event: object & { type?: unknown }): Promise<boolean> {
    const sentinel = `sentinel_${count++}`
    let answers = 0
    this.send({ data: JSON.stringify(event), binary: false })
    const fault = await this.#ask({ type: 'session.characters.list', event_id: sentinel }, ({ type, request_event_id: id }) => {
      if (type === 'session.characters.listed' && id === sentinel) return true
      answers++
      return false
    })
    if (fault !== null) throw new Error(fault)
    return answers > 0 || ['input_audio_buffer.append', 'session.characters.reload'].includes(String(event.type))
  }

  async close (): Promise<void> {
    this.socket.close()
    await this.closed
  }

  /** Sends an event and waits for its answer; what is wrong, or null. */
  async #ask (event: { type: string, event_id: string }, isAnswer: (event: Received) => boolean): Promise<string | null> {
    if (this.socket.readyState !== WebSocket.OPEN) return `closed before ${JSON.stringify(event)}`
    let refused: string | null = null
    const answered = new Promise<void>(resolve => {
      this.#waiting = received => {
        if (received.type === 'error' && received.error!.event_id === event.event_id) refused = `${JSON.stringify(event)} is refused: ${received.error!.message}`
        if (refused !== null || isAnswer(received)) resolve()
      }
    })
    this.socket.send(JSON.stringify(event))
    await Promise.race([answered, this.closed])
    return this.socket.readyState === WebSocket.OPEN ? refused : `closed by ${JSON.stringify(event)}`
  }

  #take (data: string): void {
    const event = JSON.parse(data) as Received
    if (event.type === 'error') {
      this.#told++
      if (event.error!.code === 'server_error') this.#fault ??= `the server had an error: ${data}`
    }
    this.#waiting?.(event)
  }
}
