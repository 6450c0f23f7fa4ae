import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { t } from 'tap'
import { clientEvents } from '../../lib/realtime/events/client.js'
import { fieldDescriptions } from '../../lib/realtime/events/fields.js'
import { describeEvents, exportSchema } from '../../lib/realtime/events/schema.js'
import { serverEvents, type ServerEvent } from '../../lib/realtime/events/server.js'
import { packageRoot } from '../../lib/package-root.js'
import { eventsPage } from '../../scripts/events-page.js'
import { startServer } from '../support/server.js'

// The validator that fastify brings along: the package's own top-level one is that of the linter, and older.
const require = createRequire(import.meta.url)
const fastify = createRequire(require.resolve('fastify'))
const { default: Ajv } = createRequire(fastify.resolve('@fastify/ajv-compiler'))('ajv/dist/2020')

/** A validator of one side's events. */
function validator (side: 'ClientEvent' | 'ServerEvent') {
  const { anyOf, ...schema } = exportSchema()
  // Strictness of ajv's own, such as a type for every property, is not JSON Schema's.
  return new Ajv({ strict: false }).compile({ ...schema, $ref: `#/$defs/${side}` })
}

t.test('docs/events.md is what `npm run docs` writes', async t => {
  t.equal(readFileSync(join(packageRoot, 'docs', 'events.md'), 'utf8'), eventsPage(), 'run npm run docs')
})

t.test('every event is on the page, and every field has its meaning', async t => {
  const page = eventsPage()
  for (const schema of [...clientEvents, ...serverEvents]) t.match(page, `### ${schema.properties.type.const}\n`)
  t.strictSame(page.split('\n').filter(line => /^\| `.*\| *\|$/.test(line)), [])
})

t.test('extensions are marked, and nothing else is', async t => {
  const { client, server } = describeEvents()
  t.strictSame([...client, ...server].filter(({ extension }) => extension).map(({ type }) => type), [
    'session.characters.list', 'session.characters.reload', 'session.characters.listed', 'session.characters.reloaded'
  ])
})

t.test('no meaning is kept of a field that is gone', async t => {
  const { client, server, shared } = describeEvents()
  const objects = [...[...client, ...server].map(({ name, schema }) => [name, schema] as const), ...Object.entries(shared)]
  const known = new Set(objects.flatMap(([name, schema]) => pathsOf(schema).flatMap(path => [`${name}.${path}`, path, path.split('.').at(-1)!])))
  t.strictSame(Object.keys(fieldDescriptions).filter(key => !known.has(key)), [])
})

t.test('the schema is valid JSON Schema, and its references lead somewhere', async t => {
  const ajv = new Ajv({ strict: false })
  const schema = exportSchema()
  t.ok(ajv.validateSchema(schema), JSON.stringify(ajv.errors))
  t.doesNotThrow(() => ajv.compile(schema))
})

t.test('the schema takes what is sent in a session, and refuses what is not', async t => {
  const isServerEvent = validator('ServerEvent')
  const client = await (await startServer(t)).connect()
  await client.ask('Hello')
  await client.ask('Hello', { output_modalities: ['audio'] })
  await client.fail({ type: 'response.cancel' })
  for (const event of client.events) t.ok(isServerEvent(event), `${event.type}: ${JSON.stringify(isServerEvent.errors?.[0])}`)
  const { session, ...less } = client.events[0] as Extract<ServerEvent, { type: 'session.created' }>
  t.notOk(isServerEvent(less), 'a session.created without its session')

  const isClientEvent = validator('ClientEvent')
  t.ok(isClientEvent({ type: 'input_audio_buffer.append', audio: '' }))
  t.notOk(isClientEvent({ type: 'input_audio_buffer.append' }))
  t.notOk(isClientEvent({ type: 'session.created' }))
})

t.test('GET /v1/realtime/schema serves it without a key, to pages of any origin', async t => {
  const { http } = await startServer(t, { apiKeys: ['secret'] })
  const response = await fetch(`${http}/v1/realtime/schema`)
  t.equal(response.status, 200)
  t.match(response.headers.get('content-type'), 'application/schema+json')
  t.equal(response.headers.get('access-control-allow-origin'), '*')
  t.strictSame(await response.json(), exportSchema())
})

/** Dotted paths of all fields. */
function pathsOf (schema: Record<string, any>, path = ''): string[] {
  if (schema.type === 'array') return pathsOf(schema.items, path)
  return Object.entries<Record<string, any>>(schema.properties ?? {}).flatMap(([key, field]) => {
    const at = path === '' ? key : `${path}.${key}`
    return [at, ...pathsOf(field, at)]
  })
}
