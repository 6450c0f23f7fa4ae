import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { DramatisOptions } from '../../app.js'
import { createCharacterLibrary } from '../../lib/characters/library.js'
import { castOf, characterSource } from '../support/casts.js'
import { v2 } from '../support/cards.js'
import { type TestClient, textOf } from '../support/client.js'
import { cannedEngines, says, type Script } from '../support/engines.js'
import { refusal } from '../support/refusal.js'
import { created, cut, tokenOf } from '../support/resuming.js'
import { startServer } from '../support/server.js'

// Where a session's characters may be from beside one directory: the event itself, several places, earlier versions, changed files.

/** Says what the model was told first. */
const prompted: Script = ({ messages }) => says(String(messages[0]!.content))
const inline = (name: string, prompt = `You are ${name}.`) => ({ name, instructions: { prompt, language: 'en' }, greeting: `I am ${name}.` })
const reload = (more: object) => ({ type: 'session.characters.reload', ...more })

async function start (t: Test, options: DramatisOptions = {}) {
  const directory = t.testdir({ default: castOf('Ada', 'Bob'), team: { 'bob.ts': characterSource('Bob').replace('You are Bob.', 'You are Bob of the team.'), ...castOf('Tim') } })
  const path = (...names: string[]) => join(directory, ...names)
  const server = await startServer(t, { ...cannedEngines(prompted), ...options, characters: { directory: path('default'), roots: { team: path('team') }, ...options.characters } })
  const client = await server.connect()
  await client.update({ output_modalities: ['text'] })
  return { server, client, path }
}

async function ask (client: TestClient, character: string): Promise<string> {
  await client.update({ character })
  return await client.ask('Who are you?')
}

t.test('a client brings its own characters: definitions and cards', async t => {
  const { client } = await start(t)
  const { report, session } = await client.reload({ characters: [inline('Zoe'), v2('Keeper')] })
  t.match(report, { directory: 'inline', loaded_count: 2, error_count: 0, total_files: 2, reason: undefined })
  t.strictSame(session.characters, ['Zoe', 'Keeper'])
  t.match(await ask(client, 'Zoe'), /You are Zoe, talking with User[^]*\n\nYou are Zoe\.$/)
  t.match(await ask(client, 'Keeper'), 'Keeper keeps a lighthouse')
})

t.test('what is wrong with one is its own error, and the others are taken', async t => {
  const { client } = await start(t)
  const { report } = await client.reload({ characters: [inline('Zoe'), 7, { name: 'X' }, inline('Zoe'), { ...inline('Y'), greeting: 1 }] })
  t.match(report.errors, [
    { file: 'characters[1]', code: 'invalid_character', message: /is a JSON object/ },
    { file: 'characters[2]', code: 'invalid_character', message: /no character card/ },
    { file: 'characters[3]', code: 'duplicate_name', message: /characters\[0\]/ },
    { file: 'characters[4]', code: 'invalid_character', message: /greeting: expected text/ }
  ])
  t.match(await client.fail(reload({ characters: [7] })), { code: 'no_valid_characters', param: 'characters', details: [{ file: 'characters[0]' }] })
  client.send({ type: 'session.characters.list' })
  t.match(await client.next('session.characters.listed'), { directory: 'inline', character_count: 1 })
})

t.test('code and the choice of a model are nothing that a client brings', async t => {
  const { client } = await start(t)
  await client.reload({ characters: [{ ...inline('Zoe'), systemPrompt: 'globalThis.x = 1', tools: [{ name: 'x' }], llm: { model: 'dear' } }] })
  t.match(await ask(client, 'Zoe'), 'You are Zoe.')
})

t.test('too many and too large ones are refused, and such as nest too deep', async t => {
  const { client } = await start(t)
  for (const depth of [64, 50_000]) {
    client.socket.send(`{"type":"session.characters.reload","sources":["team",{"characters":[{},{"name":"X","description":${'['.repeat(depth)}${']'.repeat(depth)}}]}]}`)
    t.match((await client.next('error')).error, { code: 'invalid_value', param: 'sources', message: /characters\[1\] is nested deeper than 64 levels/ })
  }
  t.match(await client.fail(reload({ characters: Array.from({ length: 65 }, (none, index) => inline(`C${index}`)) })), { code: 'too_many_characters', param: 'characters' })
  t.match(await client.fail(reload({ characters: [inline('Zoe', 'x'.repeat(2 ** 20))] })), { code: 'characters_too_large', param: 'characters' })
  t.match(await client.fail(reload({ characters: [] })), { code: 'invalid_value', param: 'characters' })
  t.match(await client.fail(reload({ directory: 'team', characters: [inline('Zoe')] })), { code: 'invalid_value', param: 'characters' })
})

t.test('of several sources the later ones count', async t => {
  const { client } = await start(t)
  const { report, session } = await client.reload({ sources: ['default', 'team', { characters: [inline('Tim', 'Tim from the browser.')] }] })
  t.equal(report.directory, 'default+team+inline')
  t.strictSame(session.characters, ['Ada', 'Bob', 'Tim'])
  t.match(await ask(client, 'Bob'), 'You are Bob of the team.')
  t.match(await ask(client, 'Tim'), 'Tim from the browser.')
  t.match(await client.fail(reload({ sources: ['default', 'nowhere'] })), { code: 'directory_not_allowed', param: 'sources' })
})

t.test('a cast has the version of its content, and an earlier one comes back', async t => {
  const { client, path, server } = await start(t)
  const first = (await client.reload({ directory: 'team' })).report.version
  t.match(first, /^[0-9a-f]{12}$/)
  t.equal((await client.reload({ directory: 'team' })).report.version, first)
  writeFileSync(path('team', 'bob.ts'), characterSource('Bob').replace('You are Bob.', 'You are Bob the second.'))
  const second = (await client.reload({ directory: 'team' })).report.version
  t.not(second, first)
  t.match(await ask(client, 'Bob'), 'the second')
  const { report } = await client.reload({ directory: `team@${first}` })
  t.match(report, { directory: `team@${first}`, version: first })
  t.match(await ask(client, 'Bob'), 'of the team')
  t.match(await client.fail(reload({ directory: 'team@000000000000' })), { code: 'version_not_found', param: 'directory' })
  const { data } = await (await fetch(`${server.http}/v1/sessions`)).json() as { data: { version: string }[] }
  t.equal(data[0]!.version, first)
})

t.test('an edit reaches sessions, and those that asked are told', async t => {
  const { client, path, server } = await start(t, { characters: { watch: true } })
  const quiet = await server.connect()
  client.send({ type: 'session.characters.list', watch: true })
  const { version } = await client.next('session.characters.listed')
  writeFileSync(path('default', 'ada.ts'), characterSource('Ada').replace('You are Ada.', 'You are Ada the second.'))
  const report = await client.next('session.characters.reloaded')
  t.match(report, { reason: 'changed', request_event_id: null, directory: 'default', loaded_count: 2 })
  t.not(report.version, version)
  await client.next('session.updated')
  t.match(await ask(client, 'Ada'), 'the second')
  t.strictSame(quiet.of('session.characters.reloaded'), [])
})

t.test('an edit waits for the end of the turn', async t => {
  let release = () => {}
  const held = new Promise<void>(resolve => { release = resolve })
  const script: Script = async function * (request, signal) {
    await held
    yield * prompted(request, signal)
  }
  const { client, path, server } = await start(t, { ...cannedEngines(script), characters: { watch: true } })
  const other = await server.connect()
  for (const each of [client, other]) {
    each.send({ type: 'session.characters.list', watch: true })
    await each.next('session.characters.listed')
  }
  client.say('Hello')
  client.send({ type: 'response.create' })
  await client.next('response.created')
  writeFileSync(path('default', 'ada.ts'), characterSource('Ada').replace('You are Ada.', 'You are Ada the second.'))
  await other.next('session.characters.reloaded')
  release()
  const { response } = await client.next('response.done')
  t.equal(response.status, 'completed')
  t.match(textOf(response), 'You are Ada.')
  await client.next('session.characters.reloaded')
  await client.next('session.updated')
  t.match(await client.ask('And now?'), 'the second')
})

t.test('a broken edit keeps what was there, and its error has the line', async t => {
  const { client, path } = await start(t, { characters: { watch: true } })
  client.send({ type: 'session.characters.list', watch: true })
  await client.next('session.characters.listed')
  writeFileSync(path('default', 'ada.ts'), 'export default {\n  name: }\n')
  t.match(await client.next('error'), { error: { code: 'syntax_error', message: /^ada\.ts:2: /, details: [{ file: 'ada.ts', line: 2 }] } })
  t.match(await ask(client, 'Ada'), 'You are Ada.')
  writeFileSync(path('default', 'ada.ts'), characterSource('Ada').replace('You are Ada.', 'You are Ada again.'))
  await client.next('session.characters.reloaded')
  await client.next('session.updated')
  t.match(await client.ask('Well?'), 'again')
  rmSync(path('default', 'bob.ts'))
  t.match(await client.next('session.characters.reloaded'), { loaded_count: 1 })
})

t.test('an edit that makes a cast too large is told to those that watch', async t => {
  const { client, path } = await start(t, { characters: { watch: true }, limits: { castBytes: 20_000 } })
  client.send({ type: 'session.characters.list', watch: true })
  await client.next('session.characters.listed')
  writeFileSync(path('default', 'ada.ts'), `${characterSource('Ada')}// ${'x'.repeat(20_000)}\n`)
  t.match((await client.next('error')).error, { code: 'cast_too_large', event_id: null })
  t.match(await ask(client, 'Ada'), 'You are Ada.')
})

t.test('the casts of all roots are compiled at the start', async t => {
  const { client, path } = await start(t)
  const library = createCharacterLibrary({ directory: path('default'), roots: { team: path('team') } })
  const version = await library.prepare('team')
  await library.close()
  writeFileSync(path('team', 'bob.ts'), characterSource('Bob'))
  const { report } = await client.reload({ directory: `team@${version}` })
  t.match(report, { version, loaded_count: 2 }, 'what was there then is known')
})

t.test('a session with a version of its own does not follow the files', async t => {
  const { client, path, server } = await start(t, { characters: { watch: true } })
  const other = await server.connect()
  client.send({ type: 'session.characters.list', watch: true })
  const { version } = await client.next('session.characters.listed')
  await client.reload({ directory: `default@${version}` })
  other.send({ type: 'session.characters.list', watch: true })
  await other.next('session.characters.listed')
  writeFileSync(path('default', 'ada.ts'), characterSource('Ada').replace('You are Ada.', 'You are Ada the second.'))
  await other.next('session.characters.reloaded')
  t.match(await ask(client, 'Ada'), 'You are Ada.')
})

t.test('the cast of a session that is taken up comes back from where it was loaded, in its version', async t => {
  const team = t.testdir({ winter: { 'a.ts': characterSource('Frost'), 'b.ts': characterSource('Snow') } })
  const server = await startServer(t, { characters: { roots: { team } } })
  const client = await server.connect('?resume=new')
  const { report: { version } } = await client.reload({ directory: 'team/winter' })
  await client.update({ character: 'Snow' })
  await cut(client)
  const again = await server.connect(`?resume=${tokenOf(client)}`)
  t.match(created(again), { characters: ['Frost', 'Snow'], character: 'Snow' })
  t.match(await again.listCharacters(), { directory: 'team/winter', version })

  await again.reload({ characters: [inline('Mine')] })
  await cut(again)
  const last = await server.connect(`?resume=${tokenOf(again)}`)
  t.strictSame(created(last).characters, ['Mine'])
})

t.test('files that changed meanwhile do not change the cast that comes back, if it is still kept', async t => {
  const team = t.testdir({ winter: { 'a.ts': characterSource('Frost') } })
  const server = await startServer(t, { characters: { roots: { team } } })
  const client = await server.connect('?resume=new&characters=team/winter')
  await cut(client)
  writeFileSync(join(team, 'winter', 'a.ts'), characterSource('Thaw'))
  t.strictSame(created(await server.connect('?characters=team/winter')).characters, ['Thaw'])
  t.strictSame(created(await server.connect(`?resume=${tokenOf(client)}`)).characters, ['Frost'])
})

t.test('a session whose cast is not there is refused, and can be taken up once it is', async t => {
  const team = t.testdir({ winter: { 'a.ts': characterSource('Frost') } })
  const server = await startServer(t, { characters: { roots: { team } } })
  const client = await server.connect('?resume=new&characters=team/winter')
  await cut(client)
  renameSync(join(team, 'winter'), join(team, 'away'))
  const url = `ws://127.0.0.1:${server.port}/v1/realtime?resume=${tokenOf(client)}`
  for (let again = 0; again < 2; again++) t.match(await refusal(url), { status: 400, body: { error: { code: 'directory_not_found', param: 'resume' } } })
  renameSync(join(team, 'away'), join(team, 'winter'))
  t.strictSame(created(await server.connect(`?resume=${tokenOf(client)}`)).characters, ['Frost'])
})
