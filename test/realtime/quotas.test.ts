import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { DramatisOptions } from '../../app.js'
import { createCharacterLibrary } from '../../lib/characters/library.js'
import { castOf, characterSource } from '../support/casts.js'
import { v2 } from '../support/cards.js'
import { refusal } from '../support/refusal.js'
import { startServer } from '../support/server.js'

// What a session, and all sessions of a key, may load: each bound has a code of its own, and the session goes on with what it had.

// Most of it is to wait until something has loaded for too long.
t.jobs = 2

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const inline = (name: string, prompt = '') => ({ name, instructions: { prompt } })
const reload = (more: object) => ({ type: 'session.characters.reload', ...more })

async function start (t: Test, { keys, ...options }: DramatisOptions & { keys?: object } = {}) {
  const root = t.testdir({
    default: castOf('Ada'),
    three: castOf('Tim', 'Tom', 'Ted'),
    large: { ...castOf('Lea'), helpers: { 'big.ts': `export const big = '${'x'.repeat(60_000)}'\n` }, 'max.ts': `import { big } from './helpers/big.js'\n${characterSource('Max', 'size: big.length')}` },
    cards: { 'a.json': JSON.stringify(v2('Keeper', { description: 'x'.repeat(60_000) })) },
    slow: { 'a.ts': `await new Promise(resolve => setTimeout(resolve, 60_000))\n${characterSource('Sol')}` },
    'keys.json': JSON.stringify({ keys: keys ?? {} })
  })
  const characters = { directory: join(root, 'default'), roots: Object.fromEntries(['three', 'large', 'cards', 'slow'].map(name => [name, join(root, name)])) }
  const server = await startServer(t, { ...options, ...keys === undefined ? {} : { keysFile: join(root, 'keys.json') }, characters })
  return { server, root }
}

const quotas = { characters: 2, castBytes: 20_000, castSeconds: 1, inlineCharacters: 3, inlineBytes: 2000 }
const refused: [object, { code: string, param: string }][] = [
  [{ directory: 'three' }, { code: 'too_many_characters', param: 'directory' }],
  [{ sources: ['default', { characters: [inline('A'), inline('B')] }] }, { code: 'too_many_characters', param: 'sources' }],
  [{ directory: 'large' }, { code: 'cast_too_large', param: 'directory' }],
  [{ directory: 'cards' }, { code: 'cast_too_large', param: 'directory' }],
  [{ sources: ['default', 'large'] }, { code: 'cast_too_large', param: 'sources' }],
  [{ directory: 'slow' }, { code: 'load_timeout', param: 'directory' }],
  [{ characters: ['A', 'B', 'C', 'D'].map(name => inline(name)) }, { code: 'too_many_characters', param: 'characters' }],
  [{ characters: [inline('A', 'x'.repeat(2000))] }, { code: 'characters_too_large', param: 'characters' }]
]

for (const [whose, options, key] of [
  ['a server', { limits: quotas }, undefined],
  ['a key', { keys: { kiosk: { key: 'sk-kiosk-key', ...quotas } } }, 'sk-kiosk-key']
] as const) {
  t.test(`a session loads no more than ${whose} lets it, and keeps what it had`, async t => {
    const { server } = await start(t, options)
    const headers = key === undefined ? {} : bearer(key)
    const client = await server.connect('', [], headers)
    for (const [wanted, error] of refused) t.match(await client.fail(reload(wanted)), error, JSON.stringify(wanted).slice(0, 60))
    client.send({ type: 'session.characters.list' })
    t.match(await client.next('session.characters.listed'), { directory: 'default', characters: [{ name: 'Ada' }] })
    client.send(reload({ characters: [inline('A'), inline('B')] }))
    t.match(await client.next('session.characters.reloaded'), { loaded_count: 2 })
    const url = `ws://127.0.0.1:${server.port}/v1/realtime`
    for (const [directory, code] of [['three', 'too_many_characters'], ['large', 'cast_too_large'], ['slow', 'load_timeout']]) {
      t.match(await refusal(`${url}?characters=${directory}`, headers), { status: 400, body: { error: { code, param: 'characters' } } })
    }
  })
}

t.test('another key is not bound by it', async t => {
  const { server } = await start(t, { keys: { kiosk: { key: 'sk-kiosk-key', ...quotas }, free: { key: 'sk-free-key' } } })
  const client = await server.connect('?characters=three', [], bearer('sk-free-key'))
  t.equal(client.of('session.created')[0]!.session.characters.length, 3)
  client.send(reload({ directory: 'large' }))
  t.match(await client.next('session.characters.reloaded'), { loaded_count: 2 })
})

t.test('what loads too long leaves nothing behind', async t => {
  const directory = t.testdir({ default: castOf('Ada'), slow: {} })
  writeFileSync(join(directory, 'slow', 'a.ts'), `await new Promise(resolve => setTimeout(resolve, 300))\n${characterSource('Sol')}`)
  const library = createCharacterLibrary({ directory: join(directory, 'default'), roots: { slow: join(directory, 'slow') } })
  const opening = library.open({ id: 'one', startedAt: new Date(), language: null }, 'slow', { quotas: { castMs: 50 } })
  await t.rejects(opening, { code: 'load_timeout', param: 'directory' })
  await library.close()
  t.equal(library.live, 0)
})

t.test('a session reloads so often a minute, and all sessions of a key so often together', async t => {
  const { server } = await start(t, { limits: { reloadsPerMinute: 4 }, keys: { kiosk: { key: 'sk-kiosk-key', reloadsPerMinute: 3 }, free: { key: 'sk-free-key' } } })
  const again = async (client: Awaited<ReturnType<typeof server.connect>>, times: number) => {
    for (let count = 0; count < times; count++) {
      client.send(reload({ directory: 'default' }))
      await client.next('session.updated')
    }
  }
  const tooMany = { code: 'too_many_reloads', message: /Try again in \d+ s/ }
  const free = await server.connect('', [], bearer('sk-free-key'))
  await again(free, 4)
  t.match(await free.fail(reload({ directory: 'default' })), tooMany, 'of one session')
  await again(await server.connect('', [], bearer('sk-free-key')), 4)

  const one = await server.connect('', [], bearer('sk-kiosk-key'))
  const other = await server.connect('', [], bearer('sk-kiosk-key'))
  await again(one, 2)
  await again(other, 1)
  t.match(await other.fail(reload({ directory: 'default' })), tooMany, 'of the key')
  t.match(await one.fail(reload({ directory: 'default' })), tooMany, 'of the key')
})
