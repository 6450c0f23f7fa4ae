import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { toWav } from '../../lib/audio/wav.js'
import { createDemoLlm } from '../../lib/engines/demo/llm.js'
import { createKyutaiStt } from '../../lib/engines/kyutai/stt.js'
import { createKyutaiTts } from '../../lib/engines/kyutai/tts.js'
import { remoteEngines } from '../../lib/engines/local/remote-engines.js'
import { createLocalStt } from '../../lib/engines/local/stt.js'
import { createLocalTts } from '../../lib/engines/local/tts.js'
import { createLocalVad } from '../../lib/engines/local/vad.js'
import { createOpenAiLlm } from '../../lib/engines/openai/llm.js'
import { createOpenAiStt } from '../../lib/engines/openai/stt.js'
import { createOpenAiTts } from '../../lib/engines/openai/tts.js'
import { packageRoot } from '../../lib/package-root.js'
import { startAudioServer } from '../support/audio-server.js'
import { startChatServer } from '../support/chat-server.js'
import { startEngineHost } from '../support/engine-host.js'
import { startMoshiServer } from '../support/moshi-server.js'
import { readClip } from '../support/wav.js'
import { contract, type Subject } from './contract.js'

// Three engines load their models twice.
t.setTimeout(600_000)

const audio = await readClip('austen-0880')

/** Runs an engine through the contract. */
function test (name: string, create: (t: Test) => Promise<Subject> | Subject): void {
  t.test(name, async t => {
    const subject = await create(t)
    await subject.engine.start?.()
    t.teardown(() => subject.engine.close?.())
    for (const { promise, check } of contract(subject)) await t.test(promise, () => check())
  })
}

test('vad local', () => ({ stage: 'vad', engine: createLocalVad(), audio }))
test('stt local', () => ({ stage: 'stt', engine: createLocalStt(), audio }))
test('tts local', () => ({ stage: 'tts', engine: createLocalTts(), voice: 'rms' }))
for (const stage of ['vad', 'stt', 'tts'] as const) {
  test(`${stage} local, in the engine process`, async t => {
    const { host, path } = await startEngineHost(t)
    const shared = remoteEngines(path)
    const held = () => host.streams
    if (stage === 'vad') return { stage, engine: createLocalVad({}, shared), audio, held }
    if (stage === 'stt') return { stage, engine: createLocalStt({}, shared), audio, held }
    return { stage, engine: createLocalTts({}, shared), voice: 'rms', held }
  })
}
test('llm demo', () => ({ stage: 'llm', engine: createDemoLlm() }))

test('llm openai', async t => {
  const server = await startChatServer()
  t.teardown(() => server.close())
  return { stage: 'llm', engine: createOpenAiLlm({ baseUrl: server.url }), held: () => busy(server.requests) }
})

test('stt openai', async t => {
  const server = await startAudioServer()
  t.teardown(() => server.close())
  return { stage: 'stt', engine: createOpenAiStt({ baseUrl: server.url }), audio, held: () => busy(server.requests) }
})

test('tts openai', async t => {
  const server = await startAudioServer()
  t.teardown(() => server.close())
  return { stage: 'tts', engine: createOpenAiTts({ baseUrl: server.url }), voice: 'alloy', held: () => busy(server.requests) }
})

test('stt kyutai', async t => {
  const server = await startMoshiServer()
  t.teardown(() => server.close())
  return { stage: 'stt', engine: createKyutaiStt({ baseUrl: server.url }), audio: new Int16Array(24_000).fill(8000), held: server.open }
})

test('tts kyutai', async t => {
  const server = await startMoshiServer()
  t.teardown(() => server.close())
  return { stage: 'tts', engine: createKyutaiTts({ baseUrl: server.url }), voice: 'a/voice.wav', held: server.open }
})

test('tts of the example in docs/engines.md', async t => {
  const source = /```ts\n(\/\/ piper-tts\.ts\n[^]*?)```/.exec(readFileSync(join(packageRoot, 'docs', 'engines.md'), 'utf8'))![1]!
  t.ok(source.split('\n').length < 100)
  const directory = t.testdir({ 'piper-tts.ts': source.replace("'dramatis'", JSON.stringify(pathToFileURL(join(packageRoot, 'app.ts')).href)) })
  const { createPiperTts } = await import(pathToFileURL(join(directory, 'piper-tts.ts')).href)
  const piper = await startPiper()
  t.teardown(piper.close)
  return { stage: 'tts', engine: createPiperTts({ url: piper.url }), voice: 'en_US-lessac-medium', held: () => busy(piper.requests) }
})

/** Requests whose exchange is not over. */
async function busy (requests: readonly { closed: Promise<unknown> }[]): Promise<number> {
  const open = Symbol('open')
  const states = await Promise.all(requests.map(({ closed }) => Promise.race([closed, new Promise(resolve => setImmediate(resolve, open))])))
  return states.filter(state => state === open).length
}

/** A server that speaks as Piper's HTTP server does: text in, a WAV file out, 10 ms for each letter. */
async function startPiper () {
  const requests: { closed: Promise<void> }[] = []
  const server = createServer(async (request, response) => {
    requests.push({ closed: new Promise(resolve => response.on('close', resolve)) })
    const { text } = JSON.parse(Buffer.concat(await request.toArray()).toString() || '{"text":""}')
    response.writeHead(200, { 'content-type': 'audio/wav' }).end(toWav(new Int16Array(220 * text.length).fill(1000), 22_050))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () => { server.closeAllConnections(); return new Promise(resolve => server.close(resolve)) }
  }
}
