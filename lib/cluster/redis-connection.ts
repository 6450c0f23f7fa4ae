import type { RedisClientType } from '@redis/client'
import { OptionsError } from '../options.js'
import { redisScripts, type ScriptName } from './redis-scripts.js'
import { StoreError } from './store.js'

/** How long Redis may take to answer, and to take a connection. Milliseconds. */
const ANSWER_MS = 1000
const CONNECT_MS = 2000
/** Between two attempts to connect at most. Milliseconds. */
const RETRY_MS = 1000
/** Commands that may wait for Redis at a time; while it is down none does. */
const WAITING = 20_000

export interface RedisConnectionOptions {
  /** `redis://` or, over TLS, `rediss://`; user, password and number of the database in it. */
  url: string
  /** Called when the connection is lost, and when it is there again. */
  onChange?: (up: boolean) => void
}

/** A connection that is always being made again, and never waited for: while it is gone, everything rejects at once. */
export class RedisConnection {
  readonly #options: RedisConnectionOptions
  #client: RedisClientType<any, any, any, 2> | null = null
  #ended = false

  constructor (options: RedisConnectionOptions) {
    this.#options = options
  }

  get up (): boolean {
    return this.#client?.isReady === true
  }

  /**
   * Rejects with a {@link StoreError} when the first attempt fails; others follow until the end. Rejects with an
   * OptionsError where the client is not installed.
   */
  async connect (): Promise<void> {
    const { url, onChange } = this.#options
    const { createClient } = await loadClient()
    const client = createClient({
      url,
      RESP: 2,
      disableOfflineQueue: true,
      commandsQueueMaxLength: WAITING,
      socket: { connectTimeout: CONNECT_MS, reconnectStrategy: retries => Math.min(RETRY_MS, 50 * 2 ** retries) * (0.75 + Math.random() / 2) }
    })
    this.#client = client as unknown as RedisClientType<any, any, any, 2>
    let wasUp = false
    const change = (up: boolean): void => {
      if (wasUp === up || this.#ended) return
      wasUp = up
      onChange?.(up)
    }
    client.on('ready', () => change(true))
    const failed = new Promise<never>((resolve, reject) => {
      client.on('error', error => {
        change(false)
        reject(unavailable(error))
      })
    })
    const connected = client.connect()
    // It goes on after the first attempt, and ends when this does.
    connected.catch(() => {})
    await Promise.race([connected, failed])
    failed.catch(() => {})
  }

  /** Runs a script; Redis is given its text when it does not know it. */
  async run (name: ScriptName, prefix: string, args: string[]): Promise<unknown> {
    const { sha, text } = redisScripts[name]
    const rest = ['1', prefix, ...args]
    return await this.#answer(async client => await client.sendCommand(['EVALSHA', sha, ...rest]).catch(async (error: Error) => {
      if (!error.message.startsWith('NOSCRIPT')) throw error
      return await client.sendCommand(['EVAL', text, ...rest])
    }))
  }

  async publish (channel: string, text: string): Promise<number> {
    return Number(await this.#answer(client => client.sendCommand(['PUBLISH', channel, text])))
  }

  /** Hears channels, also after the connection was lost. */
  async subscribe (channels: string[], heard: (text: string) => void): Promise<void> {
    await this.#answer(async client => { await client.subscribe(channels, heard) })
  }

  /** Others that hear the same channels go on. */
  async unsubscribe (channels: string[], heard: (text: string) => void): Promise<void> {
    await this.#answer(async client => { await client.unsubscribe(channels, heard) })
  }

  end (): void {
    this.#ended = true
    if (this.#client?.isOpen === true) this.#client.destroy()
  }

  /** Waits for an answer, not for ever: a machine that hangs keeps its connections. */
  async #answer<T> (ask: (client: RedisClientType<any, any, any, 2>) => Promise<T>): Promise<T> {
    const client = this.#client
    if (this.#ended || client?.isReady !== true) throw new StoreError(this.#ended ? 'The store has ended.' : 'Redis is not connected.')
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((resolve, reject) => {
      timer = setTimeout(() => reject(new StoreError(`Redis did not answer within ${ANSWER_MS} ms.`)), ANSWER_MS)
    })
    try {
      return await Promise.race([ask(client), late])
    } catch (error) {
      throw error instanceof StoreError ? error : unavailable(error as Error)
    } finally {
      clearTimeout(timer)
    }
  }
}

async function loadClient (): Promise<typeof import('@redis/client')> {
  try {
    return await import('@redis/client')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new OptionsError('Redis needs the package @redis/client, which is not installed: npm install @redis/client.')
  }
}

function unavailable (error: Error): StoreError {
  // Of several addresses that were tried, each has its own.
  const { message } = error instanceof AggregateError ? error.errors[0] as Error : error
  return new StoreError(message === '' ? error.name : message, { cause: error })
}
