import t from 'tap'
import { castOf } from '../support/casts.js'
import { cannedEngines, says } from '../support/engines.js'
import { RawClient } from '../support/raw-client.js'
import { startServer } from '../support/server.js'

const directory = t.testdir(castOf('Ada'))
const characters = { directory }
const SECONDS = 1800

t.test('half an hour of audio waits for a client that does not read, and goes on when it does', async t => {
  let made = 0
  const server = await startServer(t, {
    characters,
    ...cannedEngines(() => says('A very long story.')),
    tts: {
      name: 'story',
      voices: ['one'],
      async * synthesize (words) {
        for await (const text of words) {
          for (let second = 0; second < SECONDS; second++) {
            made++
            yield { text: second === 0 ? text : '', audio: new Int16Array(24_000).fill(second) }
          }
        }
      }
    }
  })
  const client = await RawClient.connect(server.port)
  t.teardown(() => client.end())
  client.send({ type: 'response.create' })

  // Others are served; when many of their turns have brought nothing more for this one, it waits.
  const other = await server.connect()
  let before = -1
  for (let same = 0; same < 20; same = made === before && made > 0 ? same + 1 : 0) {
    before = made
    await other.settle()
  }
  t.ok(made * 64_000 < 16_000_000, `${made} s were made`)

  let heard = 0
  for await (const event of client.read()) {
    if (event.type === 'response.output_audio.delta') t.equal(Buffer.from(event.delta, 'base64').readInt16LE(), heard++, 'in order')
    if (event.type === 'response.done') {
      t.equal(event.response.status, 'completed')
      break
    }
  }
  t.equal(heard, SECONDS)
})

t.test('a response that waits for its client ends when the client is gone', async t => {
  let ended = () => {}
  const end = new Promise<void>(resolve => { ended = resolve })
  let asked = () => {}
  const begun = new Promise<void>(resolve => { asked = resolve })
  const server = await startServer(t, {
    characters,
    ...cannedEngines(async function * () {
      asked()
      try {
        for (;;) yield { type: 'text', delta: 'more '.repeat(2000) }
      } finally {
        ended()
      }
    })
  })
  const client = await RawClient.connect(server.port)
  client.send({ type: 'response.create', response: { output_modalities: ['text'] } })
  await begun
  client.end()
  await end
})

t.test('who makes the server answer and never reads is closed with 1013, and nobody else is', async t => {
  const server = await startServer(t, { characters, limits: { sendBytes: 1024 * 1024 } })
  const other = await server.connect()
  const client = await RawClient.connect(server.port)
  t.teardown(() => client.end())
  client.send({ type: 'session.update', session: { type: 'realtime', instructions: 'x'.repeat(60_000) } })
  for (let n = 0; n < 500; n++) client.send({ type: 'session.update', session: { type: 'realtime' } })
  // The session is gone from the list long before its client reads why.
  const sessions = async () => (await (await fetch(`${server.http}/metrics`)).text()).match(/^dramatis_bytes_total\{direction="out"\} (\d+)/m)![1]
  let before = ''
  for (let same = 0; same < 5;) {
    const now = (await sessions())!
    same = now === before ? same + 1 : 0
    before = now
  }
  let updates = 0
  for await (const { type } of client.read()) if (type === 'session.updated') updates++
  t.equal(client.closeCode, 1013)
  t.ok(updates > 1 && updates < 500, `${updates} of 501 answers`)
  await other.settle()
})
