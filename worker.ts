import type { Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { RemoteStore } from './lib/cluster/remote-store.js'
import { remoteEngines } from './lib/engines/local/remote-engines.js'
import { readEnvironment } from './lib/environment.js'
import { Connections } from './lib/workers/connections.js'
import { exitWithoutTerminal } from './lib/terminal.js'
import { Link } from './lib/workers/link.js'
import machine, { answerFor } from './plugins/machine.js'
import { createServer, explain, goOnAfterFaults } from './server.js'

// One of the session processes of WORKERS=n: it listens to nobody, and is given its connections by server.ts.

/** Those who were let in a moment ago get their session before all are closed. Milliseconds. */
const ARRIVING_MS = 100
/** How long requests that are no sessions may take at the end. Milliseconds. */
const LAST_MS = 200

/** It is the process that listens which is told to end; a terminal and a container tell all of them. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
exitWithoutTerminal()

try {
  const { sessions, node, workers, engines } = JSON.parse(process.argv[2]!) as { sessions: number, node: string, workers: number, engines: string }
  const settings = readEnvironment(process.env)
  settings.options.limits = { ...settings.options.limits, sessions }
  settings.options.cluster = { ...settings.options.cluster, node }
  let store: RemoteStore | null = null
  if (settings.options.cluster.redisUrl === undefined) {
    store = new RemoteStore(call => link.send({ op: 'store', call }), workers)
    // While the other process is busy this one may begin: it is told when it can.
    Object.assign(settings.options.cluster, { store, optional: true })
  }
  const fastify = await createServer(settings, async instance => {
    // The channel is there by the time that anybody asks.
    await instance.register(machine, { link: { ask: what => link.ask(what) }, engines: remoteEngines(engines) })
  })
  const link = new Link(process, (message, socket) => {
    if (message.op === 'keys') fastify.dramatisReloadKeys()
    if (message.op === 'drain') end()
    if (message.op === 'refuse') refuse()
    if (message.op === 'stored') store?.hear(message.reply)
    if (message.op !== 'connection') return
    link.send({ op: 'taken', id: message.id })
    // Whoever is gone already is none; but it is done with.
    if (socket === undefined) return connections.skip()
    connections.take(socket)
  }, what => answerFor(fastify, what))
  const connections = new Connections(fastify.server as Server, (sessions, settled) => link.send({ op: 'load', sessions, settled }))
  let ending = false

  /** Lets answers finish, closes all sessions, and stays to say so. */
  const refuse = (): void => {
    const { dramatisSessions: sessions, dramatisOptions: { limits } } = fastify
    if (!sessions.draining) sessions.drain(limits.drainSeconds).catch(error => fastify.log.error(error, 'drain failed'))
  }

  /** Lets answers finish, closes all sessions, and ends the process. */
  const end = (): void => {
    if (ending) return
    ending = true
    const close = async (): Promise<void> => {
      await sleep(ARRIVING_MS)
      await fastify.close()
      await sleep(LAST_MS)
      link.send({ op: 'last', metrics: await answerFor(fastify, 'metrics') })
    }
    // What the channel still carries is sent before it is closed.
    close().catch(error => fastify.log.error(error, 'The session process did not end well')).finally(() => setImmediate(() => process.exit()))
  }
  // Whoever listened is gone: nobody new can come.
  process.on('disconnect', () => {
    store?.lost()
    end()
  })
  goOnAfterFaults(fastify.log)
  await fastify.ready()
  link.send({ op: 'ready' })
} catch (error) {
  process.send?.({ op: 'failed', message: explain(error) }, undefined, undefined, () => process.exit(1))
}
