import type { Socket } from 'node:net'
import { threadUrl } from '../../thread.js'
import { inThread, type LocalEngine, type OpenChannel } from './engine-channel.js'
import { readFrames, writeFrame } from './frames.js'
import { HostedEngine, type Client } from './hosted-engine.js'
import type { Hello } from './remote-engines.js'
import { Outbox, type FromWorker, type ToWorker } from './rpc.js'

const entries: Record<LocalEngine, URL> = {
  vad: threadUrl(import.meta.url, 'vad-worker'),
  stt: threadUrl(import.meta.url, 'stt-worker'),
  tts: threadUrl(import.meta.url, 'tts-worker')
}

/** What may be asked for: never a file that a connection names. */
function openLocal (engine: string, options: object): OpenChannel | undefined {
  return Object.hasOwn(entries, engine) ? inThread(entries[engine as LocalEngine], options) : undefined
}

/** Engines that many connections share: those who ask for the same one with the same options get the same threads. */
export class EngineHost {
  readonly #open: typeof openLocal
  readonly #engines = new Map<string, HostedEngine>()
  readonly #sockets = new Set<Socket>()
  #onIdle: (() => void) | undefined

  /** @param open the way to a thread of an engine; undefined for one that there is not */
  constructor (open = openLocal) {
    this.#open = open
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
    const key = JSON.stringify([name, options, threads])
    const known = this.#engines.get(key)
    if (known !== undefined) return known
    const open = this.#open(name, options)
    if (open === undefined) return undefined
    const engine: HostedEngine = new HostedEngine(`Shared ${name}`, open, threads, () => {
      if (this.#engines.get(key) === engine) this.#engines.delete(key)
    })
    this.#engines.set(key, engine)
    return engine
  }
}
