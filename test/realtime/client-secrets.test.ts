import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { ClientSecrets } from '../../lib/access/client-secrets.js'
import { MemoryStore } from '../../lib/cluster/memory-store.js'
import { castOf, characterSource } from '../support/casts.js'
import { cannedEngines, says } from '../support/engines.js'
import { refusal } from '../support/refusal.js'
import { startServer, type TestServer } from '../support/server.js'
import type { DramatisOptions } from '../../app.js'

const key = 'sk-server'
const bearer = (value: string) => ({ authorization: `Bearer ${value}` })

async function start (t: Test, options: DramatisOptions = {}): Promise<TestServer> {
  return await startServer(t, { ...cannedEngines(), apiKeys: [key], ...options })
}

async function post (server: TestServer, path: string, body: unknown, authorization: Record<string, string> = bearer(key)) {
  const response = await fetch(`${server.http}/v1/realtime/${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json', ...authorization }, body: JSON.stringify(body)
  })
  return { status: response.status, body: await response.json() as any }
}

const url = (server: TestServer) => `ws://127.0.0.1:${server.port}/v1/realtime`

async function statusOf (server: TestServer, value: string): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/v1/realtime`, { headers: bearer(value) })
  socket.on('error', () => {})
  const [, response] = await once(socket, 'unexpected-response')
  response.destroy()
  return response.statusCode
}

t.test('a key comes with its expiry and the whole session that it opens', async t => {
  const server = await start(t)
  const before = Math.floor(Date.now() / 1000)
  const { status, body } = await post(server, 'client_secrets', { session: { type: 'realtime', model: 'mine', instructions: 'Be kind.', audio: { output: { voice: 'cedar' } } } })
  t.equal(status, 200)
  t.match(body.value, /^ek_\w{32}$/)
  t.ok(body.expires_at - before >= 600 && body.expires_at - before <= 602)
  t.match(body.session, {
    type: 'realtime',
    object: 'realtime.session',
    id: /^sess_/,
    model: 'mine',
    instructions: 'Be kind.',
    expires_at: 0,
    audio: { input: { turn_detection: { type: 'server_vad' } }, output: { voice: 'cedar' } }
  })
})

t.test('the key opens sessions as bearer and as subprotocol, with what was configured, which the client may change', async t => {
  const server = await start(t)
  const { body } = await post(server, 'client_secrets', {
    session: { type: 'realtime', model: 'mine', instructions: 'Be kind.', output_modalities: ['text'], audio: { input: { format: { type: 'audio/pcmu' } } } }
  })
  const client = await server.connect('', [], bearer(body.value))
  const browser = await server.connect('', ['realtime', `openai-insecure-api-key.${body.value}`])
  t.equal(browser.socket.protocol, 'realtime')
  for (const one of [client, browser]) {
    t.match(one.of('session.created')[0]!.session, {
      model: 'mine', instructions: 'Be kind.', output_modalities: ['text'], audio: { input: { format: { type: 'audio/pcmu' } } }
    })
  }
  t.equal(await client.ask('hi', {}), 'You said: hi')
  t.equal((await client.update({ instructions: 'Be brief.' })).instructions, 'Be brief.')
})

t.test('a configured character is the one who speaks', async t => {
  const server = await start(t)
  const names = (await server.connect('', [], bearer(key))).of('session.created')[0]!.session.characters
  const { body } = await post(server, 'client_secrets', { session: { type: 'realtime', character: names[1] } })
  t.equal(body.session.character, names[1])
  const client = await server.connect('', [], bearer(body.value))
  t.equal(client.of('session.created')[0]!.session.character, names[1])
})

t.test('a key can be bound to a cast: its sessions have it in the version of that moment', async t => {
  const directory = t.testdir({ default: castOf('Ada'), team: { ...castOf('Tim'), winter: castOf('Ivo') }, empty: {} })
  const path = (...names: string[]) => join(directory, ...names)
  const server = await start(t, { ...cannedEngines(({ messages }) => says(String(messages[0]!.content))), characters: { directory: path('default'), roots: { team: path('team'), empty: path('empty') }, watch: true } })
  const bind = (more: object) => post(server, 'client_secrets', { session: { type: 'realtime', output_modalities: ['text'], ...more } })
  const { body } = await bind({ characters_directory: 'team' })
  t.match(body.session, { characters: ['Tim'], character: 'Tim', characters_directory: /^team@[0-9a-f]{12}$/ })
  const winter = await bind({ characters_directory: 'team/winter', character: 'Ivo' })
  t.match(winter.body.session, { character: 'Ivo', characters_directory: /^team\/winter@/ })
  t.match((await bind({ characters_directory: body.session.characters_directory })).body.session, { characters_directory: body.session.characters_directory })
  const beta = await post(server, 'sessions', { modalities: ['text'], characters_directory: 'team' })
  t.equal(beta.body.characters_directory, body.session.characters_directory)

  const early = await server.connect('', [], bearer(body.value))
  early.send({ type: 'session.characters.list' })
  const version = body.session.characters_directory.slice('team@'.length)
  t.match(await early.next('session.characters.listed'), { directory: body.session.characters_directory, version })
  const follower = await server.connect('?characters=team', [], bearer(key))
  follower.send({ type: 'session.characters.list', watch: true })
  await follower.next('session.characters.listed')
  writeFileSync(path('team', 'tim.ts'), characterSource('Tim').replace('You are Tim.', 'You are Tim the second.'))
  await follower.next('session.characters.reloaded')
  const late = await server.connect('', [], bearer(body.value))
  for (const client of [early, late]) t.match(await client.ask('Who are you?', {}), 'You are Tim.')

  await t.test('and if that is no longer kept, it says so', async t => {
    const editor = await server.connect('?characters=team', [], bearer(key))
    for (let edit = 0; edit < 5; edit++) {
      writeFileSync(path('team', 'tim.ts'), characterSource('Tim', `temperature: 0.${edit}`))
      editor.send({ type: 'session.characters.reload', directory: 'team' })
      await editor.next('session.updated')
    }
    t.match(await refusal(url(server), bearer(body.value)), { status: 400, body: { error: { code: 'version_not_found', param: 'characters' } } })
  })
  await t.test('what cannot be bound is refused when the key is made', async t => {
    const param = 'session.characters_directory'
    t.match(await bind({ characters_directory: 'nowhere' }), { status: 400, body: { error: { code: 'directory_not_allowed', param } } })
    t.match(await bind({ characters_directory: 'team@000000000000' }), { status: 400, body: { error: { code: 'version_not_found', param } } })
    t.match(await bind({ characters_directory: 'empty' }), { status: 400, body: { error: { code: 'no_valid_characters', param } } })
    t.match(await bind({ characters_directory: 7 }), { status: 400, body: { error: { code: 'invalid_type', param } } })
    t.match(await bind({ characters_directory: 'team', character: 'Ada' }), { status: 400, body: { error: { code: 'invalid_value', param: 'session.character' } } })
    const { body: { value } } = await bind({ characters_directory: 'team' })
    t.match(await refusal(`${url(server)}?characters=team`, bearer(value)), { status: 400, body: { error: { code: 'invalid_value', param: 'characters' } } })
  })
})

t.test('an empty request is enough', async t => {
  const server = await start(t)
  t.match(await post(server, 'client_secrets', {}), { status: 200, body: { session: { type: 'realtime' } } })
  const response = await fetch(`${server.http}/v1/realtime/client_secrets`, { method: 'POST', headers: bearer(key) })
  t.equal(response.status, 200)
})

t.test('keys are made with an API key only', async t => {
  const server = await start(t)
  const { body } = await post(server, 'client_secrets', {})
  for (const authorization of [{}, bearer('sk-other'), bearer(body.value)]) {
    t.match(await post(server, 'client_secrets', {}, authorization as Record<string, string>), { status: 401, body: { error: { code: 'invalid_api_key' } } })
  }
  const open = await start(t, { apiKeys: [] })
  t.equal((await post(open, 'client_secrets', {}, {})).status, 200)
})

t.test('a key that nobody made opens nothing, also where everybody may connect', async t => {
  t.equal(await statusOf(await start(t), 'ek_unknown'), 401)
  t.equal(await statusOf(await start(t, { apiKeys: [] }), 'ek_unknown'), 401)
})

t.test('what session.update would refuse is refused with the same error', async t => {
  const server = await start(t)
  const client = await server.connect('', [], bearer(key))
  for (const session of [
    {}, { type: 'other' }, { type: 'realtime', output_modalities: ['text', 'audio'] }, { type: 'realtime', max_output_tokens: 0 },
    { type: 'realtime', audio: { output: { voice: 'nobody' } } }, { type: 'realtime', character: 'Nobody' }, { type: 'realtime', instructions: 7 }
  ]) {
    const { event_id: _, ...error } = await client.fail({ type: 'session.update', session })
    const { status, body } = await post(server, 'client_secrets', { session })
    t.equal(status, 400)
    t.strictSame(body, { error })
  }
})

t.test('a key lives for 10 to 7200 seconds', async t => {
  const server = await start(t)
  for (const seconds of [9, 7201, 1.5]) {
    t.match(await post(server, 'client_secrets', { expires_after: { anchor: 'created_at', seconds } }), { status: 400, body: { error: { param: 'expires_after.seconds' } } })
  }
  t.match(await post(server, 'client_secrets', { expires_after: { anchor: 'now', seconds: 60 } }), { status: 400, body: { error: { code: 'invalid_value', param: 'expires_after.anchor' } } })
  const { body } = await post(server, 'client_secrets', { expires_after: { anchor: 'created_at', seconds: 10 } })
  t.ok(body.expires_at - Date.now() / 1000 <= 10)
})

t.test('an expired key is none, and makes place for another', async t => {
  let now = 1000
  const secrets = new ClientSecrets<string>(new MemoryStore(() => now), { entries: 2, bytes: 120 })
  await secrets.add('one', { key: null, cast: null, configuration: 'first' }, 10)
  await secrets.add('two', { key: null, cast: null, configuration: 'second' }, 100)
  await t.rejects(secrets.add('three', { key: null, cast: null, configuration: 'third' }, 100), { code: 'rate_limit_exceeded' })
  t.strictSame(await secrets.find('one'), { key: null, cast: null, configuration: 'first' })
  now = 1010
  t.equal(await secrets.find('one'), null)
  t.strictSame(await secrets.find('two'), { key: null, cast: null, configuration: 'second' })
  await secrets.add('three', { key: null, cast: null, configuration: 'third' }, 90)
  now = 1100
  await t.rejects(secrets.add('four', { key: null, cast: null, configuration: 'more than there is room for'.repeat(3) }, 100), { code: 'rate_limit_exceeded' })
})

t.test('there are only so many keys at a time', async t => {
  const server = await start(t, { limits: { clientSecrets: 1 } })
  t.equal((await post(server, 'client_secrets', {})).status, 200)
  t.match(await post(server, 'client_secrets', {}), { status: 429, body: { error: { code: 'rate_limit_exceeded' } } })
})

t.test('a key of type transcription opens a session that only transcribes', async t => {
  const server = await start(t)
  const { body } = await post(server, 'client_secrets', { session: { type: 'transcription', audio: { input: { transcription: { model: 'whisper-1', language: 'en' }, turn_detection: null } } } })
  t.match(body.session, { type: 'transcription', object: 'realtime.transcription_session' })
  const client = await server.connect('', [], bearer(body.value))
  t.match(client.of('session.created')[0]!.session as unknown, {
    type: 'transcription', audio: { input: { transcription: { model: 'whisper-1', language: 'en' }, turn_detection: null } }
  })
  t.match(await client.fail({ type: 'response.create' }), { code: 'invalid_value' })
})

t.test('the beta makes keys in its own shape', async t => {
  const server = await start(t)
  const { status, body } = await post(server, 'sessions', {
    model: 'mine', voice: 'cedar', modalities: ['text'], instructions: 'Be kind.', input_audio_format: 'g711_ulaw', client_secret: { expires_after: { anchor: 'created_at', seconds: 60 } }
  })
  t.equal(status, 200)
  t.match(body, { object: 'realtime.session', model: 'mine', voice: 'cedar', modalities: ['text'], input_audio_format: 'g711_ulaw', client_secret: { value: /^ek_/ } })
  t.ok(body.client_secret.expires_at - Date.now() / 1000 <= 60)
  const client = await server.connect('', [], bearer(body.client_secret.value))
  t.match(client.of('session.created')[0]!.session, { instructions: 'Be kind.', output_modalities: ['text'], audio: { input: { format: { type: 'audio/pcmu' } }, output: { voice: 'cedar' } } })
  t.match(await post(server, 'sessions', { input_audio_format: 'mp3' }), { status: 400, body: { error: { code: 'invalid_value', param: 'input_audio_format' } } })
})

t.test('the beta makes keys of transcription sessions', async t => {
  const server = await start(t)
  const { status, body } = await post(server, 'transcription_sessions', {
    input_audio_format: 'pcm16', input_audio_transcription: { model: 'whisper-1' }, client_secret: { expires_at: { anchor: 'created_at', seconds: 60 } }
  })
  t.equal(status, 200)
  t.match(body, { input_audio_format: 'pcm16', input_audio_transcription: { model: 'whisper-1' }, turn_detection: { type: 'server_vad' }, client_secret: { value: /^ek_/ } })
  const client = await server.connect('', [], bearer(body.client_secret.value))
  t.equal(client.of('session.created')[0]!.session.type as string, 'transcription')
})
