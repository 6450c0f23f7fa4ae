#!/usr/bin/env node
import { realpathSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { fileURLToPath } from 'node:url'
import closeWithGrace from 'close-with-grace'
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { pino } from 'pino'
import dramatis from './app.js'
import { withoutKeys } from './lib/access/api-keys.js'
import { isClaimed } from './lib/characters/crashes.js'
import { EngineError } from './lib/engines/engine.js'
import { nodeName } from './lib/cluster/create.js'
import { readEnvironment, type ServerSettings } from './lib/environment.js'
import { LimitOptions, OptionsError } from './lib/options.js'
import { exitWithoutTerminal, isTerminalGone } from './lib/terminal.js'
import { threadUrl } from './lib/thread.js'
import { Primary } from './lib/workers/primary.js'

/** How long after the drain the rest of the shutdown may take. Milliseconds. */
const CLOSE_MS = 8000

export interface StartOptions {
  /** Tell where it listens in JSON. */
  json?: boolean
}

/** Starts the server that the environment describes. Resolves once it listens; a server that cannot start ends the process with 1. */
export async function startServer (how: StartOptions = {}): Promise<number> {
  try {
    await start(readEnvironment(process.env), how)
    return 0
  } catch (error) {
    process.stderr.write(`${explain(error)}\n`)
    return process.exit(1)
  }
}

// Not when the command line imports it.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await startServer()

async function start (settings: ServerSettings, how: StartOptions): Promise<void> {
  if (settings.workers > 1) return await startMany(settings, how)
  const { host, port, options } = settings
  const fastify = await createServer(settings)
  try {
    await fastify.listen({ host, port })
  } catch (error) {
    await fastify.close()
    throw error
  }
  obeySignals(options, fastify.log, { reload: () => fastify.dramatisReloadKeys(), end: () => fastify.close() })
  goOnAfterFaults(fastify.log)
  tell(fastify.listeningOrigin, settings, how)
}

/** This process listens; others have the sessions. */
async function startMany (settings: ServerSettings, how: StartOptions): Promise<void> {
  const { host, port, tls, workers, logLevel, options } = settings
  const log = pino({ level: logLevel })
  const primary = new Primary({
    entry: threadUrl(import.meta.url, 'worker'), workers, host, port, sessions: options.limits?.sessions ?? LimitOptions.properties.sessions.default, node: nodeName(options.cluster ?? {}), log
  })
  // What happens while it starts, too, must leave no process behind.
  process.once('exit', () => primary.kill())
  const actualPort = await primary.start()
  obeySignals(options, log, { reload: () => primary.restart(), end: () => primary.drain() })
  goOnAfterFaults(log)
  tell(`${tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${actualPort}`, settings, how)
}

/**
 * The server that the settings describe; nothing listens yet.
 *
 * @param prepare registers what has to be there before the routes
 */
export async function createServer ({ logLevel, tls, trustProxy, options }: ServerSettings, prepare?: (fastify: FastifyInstance) => Promise<void>): Promise<FastifyInstance> {
  const fastify = Fastify({
    logger: {
      level: logLevel,
      serializers: { req: ({ method, url, ip }: FastifyRequest) => ({ method, url: withoutKeys(url), address: ip }) }
    },
    trustProxy,
    // While it drains, readiness and refusals have bodies of their own.
    return503OnClosing: false,
    // Sessions log their own lines; a line for every probe would bury them.
    logController: new LogController({ disableRequestLogging: true }),
    ...tls === null ? {} : { https: await readCertificate(tls) }
  })
  try {
    await prepare?.(fastify as unknown as FastifyInstance)
    // Not in a scope of its own: what follows needs what it decorates.
    await fastify.register(fp(async (instance, options) => dramatis(instance, options)), options)
  } catch (error) {
    await fastify.close()
    throw error
  }
  return fastify as unknown as FastifyInstance
}

/** What one session forgot to await or to catch must not end all the others. */
export function goOnAfterFaults (log: Pick<FastifyBaseLogger, 'error'>): void {
  process.on('unhandledRejection', (error, promise) => {
    if (!isClaimed(promise)) log.error({ err: error }, 'A promise was rejected and nobody awaits it')
  })
  process.on('uncaughtException', error => log.error({ err: error }, 'An error was thrown and nobody caught it'))
}

/** Ends in good order; SIGHUP reloads, unless it is the terminal that says so because somebody has closed it. */
function obeySignals ({ limits }: ServerSettings['options'], logger: Pick<FastifyBaseLogger, 'error'>, { reload, end }: { reload: () => void, end: () => Promise<void> }): void {
  const delay = (limits?.drainSeconds ?? LimitOptions.properties.drainSeconds.default) * 1000 + CLOSE_MS
  const { close } = closeWithGrace({ delay, logger, skip: ['unhandledRejection', 'uncaughtException', 'SIGHUP'] }, end)
  process.on('SIGHUP', () => {
    if (isTerminalGone()) close()
    else reload()
  })
  exitWithoutTerminal()
}

function tell (url: string, { options }: ServerSettings, { json = false }: StartOptions): void {
  const isDemo = options.llm !== undefined && 'engine' in options.llm && options.llm.engine === 'demo'
  if (json) {
    process.stdout.write(`${JSON.stringify({ url, realtime: `${url.replace(/^http/, 'ws')}/v1/realtime` })}\n`)
    return
  }
  process.stdout.write(`Dramatis listens on ${url}\n`)
  process.stdout.write(`Open ${url} in a browser to talk.\n`)
  process.stdout.write(`Connect an OpenAI Realtime client to ${url.replace(/^http/, 'ws')}/v1/realtime${isDemo ? '; the demo brain answers until LLM_BASE_URL names a language model' : ''}.\n`)
}

async function readCertificate ({ cert, key }: NonNullable<ServerSettings['tls']>): Promise<{ cert: Buffer, key: Buffer }> {
  const pair = { cert: await readFile(cert), key: await readFile(key) }
  try {
    createSecureContext(pair)
  } catch (error) {
    throw new OptionsError(`TLS_CERT ${cert} and TLS_KEY ${key} cannot be used: ${(error as Error).message}.`)
  }
  return pair
}

/** One line for what a person can mend; the whole stack for what only a developer can. */
export function explain (error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return `Cannot listen: ${error.message.replace(/^listen EADDRINUSE: /, '')}. Set PORT to another one.`
  // What the system refuses, such as a file that is a folder or a host that does not exist.
  if ('syscall' in error) return `Cannot start: ${error.message}.`
  return error instanceof OptionsError || error instanceof EngineError || error.name === 'RealtimeError' ? error.message : error.stack ?? error.message
}
