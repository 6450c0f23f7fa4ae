// A server of a fleet, in a process of its own: `fleet-node.ts '{ options of the plugin, clockMs }'`. Its engines answer at once.
const { clockMs = 0, app: url, ...options } = JSON.parse(process.argv.at(-1)!) as { clockMs?: number, app: string }

const Clock = Date
globalThis.Date = class extends Clock {
  constructor (...given: []) {
    super(...(given.length === 0 ? [Clock.now() + clockMs] : given) as [])
  }

  static override now (): number {
    return Clock.now() + clockMs
  }
} as DateConstructor

const { default: Fastify } = await import('fastify')
const { default: dramatis } = await import(url) as typeof import('../../app.js')
const { cannedEngines } = await import('./engines.js')

const app = Fastify({ logger: { level: 'warn' } })
await app.register(dramatis, { ...cannedEngines(), ...options })
await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`listens on ${app.listeningOrigin}\n`)
process.once('SIGTERM', () => { app.close().then(() => process.exit(0), () => process.exit(1)) })

export {}
