import { EngineError } from '../lib/engines/engine.js'
import { OptionsError } from '../lib/options.js'
import { fail } from './command.js'
import { startLocalServer } from './local-server.js'
import { ConnectError, readUrl, RealtimeConnection } from './realtime.js'

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
  let server: Awaited<ReturnType<typeof startLocalServer>> | undefined
  let connection: RealtimeConnection | undefined
  try {
    if (given === undefined) server = await startLocalServer(target)
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

export function keyFor (url: string, key: string | undefined): string | undefined {
  return key ?? (new URL(url).hostname === 'api.openai.com' ? process.env.OPENAI_API_KEY : undefined)
}

export function queryFor (url: string, character?: string): Record<string, string> {
  return {
    // Every server of the protocol wants a model; this one takes any.
    ...new URL(url).searchParams.has('model') ? {} : { model: 'gpt-realtime' },
    ...character === undefined ? {} : { character }
  }
}
