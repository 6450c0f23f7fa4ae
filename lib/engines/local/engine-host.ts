import type { Socket } from 'node:net'
import { threadUrl } from '../../thread.js'
import { inThread, type LocalEngine } from './engine-channel.js'
import { readFrames, writeFrame } from './frames.js'
import { HostedEngine, type Client } from './hosted-engine.js'
import type { Hello } from './remote-engines.js'
import { Outbox, type FromWorker, type ToWorker } from './rpc.js'

/** What may be asked for: never a file that a connection names. */
const localEntries: Record<LocalEngine, URL> = {
  vad: threadUrl(import.meta.url, 'vad-worker'),
  stt: threadUrl(import.meta.url, 'stt-worker'),
  tts: threadUrl(import.meta.url, 'tts-worker')
}

/** Engines that many connections share: those who ask for the same one with the same options get the same threads. */
export class EngineHost {
  readonly #entries: Record<string, URL>
  readonly #engines = new Map<string, HostedEngine>()
  readonly #sockets = new Set<Socket>()
  #onIdle: (() => void) | undefined

  /** @param entries the workers' files, by the engine's name */
  constructor (entries: Record<string, URL> = localEntries) {
    this.#entries = entries
  }

  /** Threads that have an engine loaded, or load it. */
  get threads (): number {
    return [...this.#engines.values()].reduce((sum, { threads }) => sum + threads, 0)
  }

  /** Open streams of all connections. */
  get streams (): number {
    return [...this.#engines.values()].reduce((sum, { streams }) => sum + streams, 0)
  }

  /** Takes a connection, which says first which engine it wants. */
  serve (socket: Socket): void {
    this.#sockets.add(socket)
    const outbox = new Outbox<FromWorker>(messages => writeFrame(socket, messages))
    const client: Client = {
      tell: message => outbox.add(message),
      leave: () => {
        outbox.flush()
        socket.end()
      }
    }
    let engine: HostedEngine | undefined
    readFrames(socket, frame => {
      if (engine === undefined) {
        engine = this.#engine(frame as Hello)
        if (engine === undefined) socket.destroy()
        return engine?.join(client)
      }
      for (const message of frame as ToWorker[]) {
        if (message.op === 'close') client.leave()
        else if (message.op !== 'count') engine.take(client, message)
      }
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      engine?.part(client)
      this.#sockets.delete(socket)
      if (this.#sockets.size === 0) this.#onIdle?.()
    })
  }

  /** Calls back once there are no connections. */
  whenIdle (callback: () => void): void {
    if (this.#sockets.size === 0) callback()
    else this.#onIdle = callback
  }

  /** Cuts the connections, lets native work finish and ends the threads. */
  async close (): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    const engines = [...this.#engines.values()]
    this.#engines.clear()
    await Promise.all(engines.map(engine => engine.close()))
  }

  #engine ({ engine: name, options, threads }: Hello): HostedEngine | undefined {
    if (!Object.hasOwn(this.#entries, name)) return undefined
    const key = JSON.stringify([name, options, threads])
    const known = this.#engines.get(key)
    if (known !== undefined) return known
    const engine: HostedEngine = new HostedEngine(`Shared ${name}`, inThread(this.#entries[name]!, options), threads, () => {
      if (this.#engines.get(key) === engine) this.#engines.delete(key)
    })
    this.#engines.set(key, engine)
    return engine
  }
}
