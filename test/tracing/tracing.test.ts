import { context, propagation, trace } from '@opentelemetry/api'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-node'
import { t, type Test } from 'tap'
import { EngineError, type DramatisOptions } from '../../app.js'
import { castOf, characterSource } from '../support/casts.js'
import { calls, cannedEngines, endless, says, scriptedLlm, tone, type Script } from '../support/engines.js'
import { startServer, type TestServer } from '../support/server.js'
import { until } from '../support/until.js'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
provider.register()
t.beforeEach(() => exporter.reset())
t.teardown(async () => {
  await provider.shutdown()
  for (const api of [trace, context, propagation]) api.disable()
})

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

const traced = (t: Test, options: DramatisOptions = {}): Promise<TestServer> =>
  startServer(t, { tracing: true, ...options, characters: options.characters ?? { directory: t.testdir(castOf('Ada')) } })

/** The spans of a name, once there are as many. */
async function spans (name: string, count = 1): Promise<ReadableSpan[]> {
  const found = () => exporter.getFinishedSpans().filter(span => span.name === name)
  await until(() => found().length >= count)
  return found()
}

const ms = ([seconds, nanos]: readonly [number, number]): number => seconds * 1000 + nanos / 1e6
const isWithin = (inner: ReadableSpan, outer: ReadableSpan): boolean => inner.parentSpanContext?.spanId === outer.spanContext().spanId

t.test('a spoken turn is a span with one of each stage in it, and the upgrade\'s traceparent is its parent', async t => {
  const server = await traced(t)
  const client = await server.connect('', [], { traceparent: `00-${TRACE}-${PARENT}-01` })
  client.append(tone(600), 100)
  client.append(tone(800, 0), 100)
  const { response } = await client.next('response.done')
  const [turn] = await spans('turn')
  t.equal(turn!.spanContext().traceId, TRACE)
  t.equal(turn!.parentSpanContext!.spanId, PARENT)
  t.match(turn!.attributes, {
    'dramatis.session.id': client.of('session.created')[0]!.session.id, 'dramatis.character': 'Ada', 'dramatis.response.id': response.id, 'dramatis.response.status': 'completed'
  })
  for (const [name, attributes] of [['stt', { 'dramatis.engine': 'counting' }], ['llm', { 'dramatis.engine': 'scripted', 'gen_ai.request.model': 'script' }], ['tts', { 'dramatis.engine': 'tone' }]] as const) {
    const [stage] = await spans(name)
    t.ok(isWithin(stage!, turn!), name)
    t.match(stage!.attributes, attributes)
    t.ok(ms(stage!.startTime) >= ms(turn!.startTime) && ms(stage!.endTime) <= ms(turn!.endTime) + 1, `${name} lies within the turn`)
  }
  t.equal(exporter.getFinishedSpans().length, 4)
})

t.test('a written turn has no stt, its tools are spans, and each turn is a trace of its own', async t => {
  const tools = 'tools: [{ name: \'listen\', description: \'Listens.\', parameters: { type: \'object\' }, run () { return 1 } }]'
  const script: Script = ({ messages }) => messages.at(-1)!.role === 'tool' ? says('One.') : calls('listen', {})
  const server = await traced(t, { llm: scriptedLlm(script), characters: { directory: t.testdir({ 'ada.ts': characterSource('Ada', tools) }) } })
  const client = await server.connect()
  await client.ask('Hello')
  await client.ask('Again')
  const turns = await spans('turn', 2)
  t.not(turns[0]!.spanContext().traceId, turns[1]!.spanContext().traceId)
  const [tool] = await spans('tool', 2)
  t.equal(tool!.attributes['gen_ai.tool.name'], 'listen')
  t.ok(isWithin(tool!, turns[0]!))
  t.equal((await spans('llm', 4)).filter(span => isWithin(span, turns[1]!)).length, 2)
  t.equal(exporter.getFinishedSpans().some(span => span.name === 'stt'), false)
})

t.test('a fault marks its stage and its turn, without its words', async t => {
  const failing: Script = () => { throw new EngineError('engine_failed', 'scripted', 'The model heard: my secret.') }
  const client = await (await traced(t, { llm: scriptedLlm(failing) })).connect()
  await client.ask('my secret')
  const [turn] = await spans('turn')
  const [llm] = await spans('llm')
  t.match([llm!.status, turn!.status], [{ code: 2, message: 'engine_failed' }, { code: 2 }])
  t.equal(turn!.attributes['dramatis.response.status'], 'failed')
  t.notMatch(JSON.stringify(exporter.getFinishedSpans().map(({ attributes, events, status }) => ({ attributes, events, status }))), /my secret/)
})

t.test('what is cancelled, or cut off with its socket, ends its spans, and is no fault', async t => {
  const server = await traced(t, { llm: scriptedLlm(endless) })
  const client = await server.connect()
  for (const end of [() => client.send({ type: 'response.cancel' }), () => client.socket.terminate()]) {
    client.send({ type: 'response.create' })
    // A delta of the response before this one may still be unread, and a socket that is cut takes what was just written with it.
    await client.next('response.created')
    await client.next('response.output_audio.delta')
    end()
  }
  for (const turn of await spans('turn', 2)) t.match(turn, { status: { code: 0 }, attributes: { 'dramatis.response.status': 'cancelled' } })
  for (const llm of await spans('llm', 2)) t.equal(llm.status.code, 0)
})

t.test('what is heard and never answered is a span all the same', async t => {
  const client = await (await traced(t)).connect('?intent=transcription', [], { traceparent: `00-${TRACE}-${PARENT}-01` })
  await client.update({ type: 'transcription', audio: { input: { turn_detection: null } } })
  client.append(tone(600))
  client.send({ type: 'input_audio_buffer.commit' })
  await client.next('conversation.item.input_audio_transcription.completed')
  await client.close()
  const [stt] = await spans('stt')
  t.equal(stt!.parentSpanContext!.spanId, PARENT)
})

t.test('an engine\'s own spans lie within its stage', async t => {
  const script: Script = async function * () {
    trace.getTracer('engine').startSpan('request').end()
    yield * says('Hello.')
  }
  const client = await (await traced(t, { llm: scriptedLlm(script) })).connect()
  await client.ask('Hello')
  const [[request], [llm]] = [await spans('request'), await spans('llm')]
  t.ok(isWithin(request!, llm!))
})

t.test('nothing is traced unless that is asked for', async t => {
  const server = await startServer(t, cannedEngines())
  await (await server.connect()).ask('Hello')
  t.equal(exporter.getFinishedSpans().length, 0)
})
