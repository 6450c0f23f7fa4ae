import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { EngineHost } from '../engines/local/engine-host.js'
import { exitWithoutTerminal } from '../terminal.js'
import { Link } from './link.js'

// The process of WORKERS=n that has the local engines of all session processes.

/** It is the process that listens which is told to end; a terminal and a container tell all of them. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
exitWithoutTerminal()

const { path } = JSON.parse(process.argv[2]!) as { path: string }
const isFile = process.platform !== 'win32'
const register = new Registry()
collectDefaultMetrics({ register })
const host = new EngineHost()
const server = createServer(socket => host.serve(socket))
let ending = false

const end = (): void => {
  if (ending) return
  ending = true
  server.close()
  const close = async (): Promise<void> => {
    await host.close()
    link.send({ op: 'last', metrics: await register.getMetricsAsJSON() })
  }
  close().catch(() => {}).finally(() => {
    // Whoever made the folder may be gone.
    if (isFile && !process.connected) rmSync(dirname(path), { recursive: true, force: true })
    setImmediate(() => process.exit())
  })
}

const link = new Link(process, message => {
  if (message.op === 'drain') end()
}, async what => what === 'metrics' ? await register.getMetricsAsJSON() : true)
// Whoever listened is gone: the session processes still let their answers finish.
process.on('disconnect', () => host.whenIdle(end))
// What one that was killed has left.
if (isFile) rmSync(path, { force: true })
server.on('error', error => {
  process.send?.({ op: 'failed', message: `The engine process cannot listen: ${error.message}.` }, undefined, undefined, () => process.exit(1))
})
server.listen(path, () => link.send({ op: 'ready' }))
