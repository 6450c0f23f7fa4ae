import { EngineError } from '../lib/engines/engine.js'
import { OptionsError } from '../lib/options.js'
import { fail } from './command.js'
import type { LocalServer } from './local-server.js'
import { ConnectError, readUrl, RealtimeConnection } from './realtime.js'
import { keyFor, queryFor } from './target.js'

export interface Target {
  /** A server that runs; without, one is started in this process. */
  url?: string | undefined
  key?: string | undefined
  character?: string | undefined
  /** The cast of the server in this process. */
  characters?: string | undefined
  speech: boolean
}

/** Options of every command that connects. */
export const connectOptions = {
  url: { type: 'string' },
  key: { type: 'string' },
  characters: { type: 'string' }
} as const

export const CONNECT_HELP = `  --url URL          a server that runs (default: one of its own, set by the environment)
  --key KEY          its API key (default: OPENAI_API_KEY for api.openai.com)
  --characters DIR   the cast of a server of its own`

/** Connects, does something, and lets everything go again. Resolves with the exit code. */
export async function withConnection (target: Target, use: (connection: RealtimeConnection) => Promise<number>): Promise<number> {
  const given = target.url === undefined ? undefined : readUrl(target.url)
  let server: LocalServer | undefined
  let connection: RealtimeConnection | undefined
  try {
    // Whoever has a server does not wait for all that one is made of.
    if (given === undefined) server = await (await import('./local-server.js')).startLocalServer(target)
    const url = given ?? server!.url
    connection = await RealtimeConnection.connect({ url, key: keyFor(url, target.key), query: queryFor(url, target.character) })
    return await use(connection)
  } catch (error) {
    if (error instanceof ConnectError || error instanceof OptionsError || error instanceof EngineError) return fail(error.message)
    throw error
  } finally {
    await connection?.close()
    await server?.close()
  }
}
