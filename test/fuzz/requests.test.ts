import fc from 'fast-check'
import { t } from 'tap'
import { SessionUpdate } from '../../lib/realtime/events/session-object.js'
import { castOf } from '../support/casts.js'
import { arbitraryOf, hostileValues, pathsOf, withValue, writeJson } from '../support/hostile/arbitraries.js'
import { Attacker } from '../support/hostile/attacker.js'
import { createRandom } from '../support/hostile/mutations.js'
import { oddFrames, oddUpgrade, talkRaw } from '../support/hostile/requests.js'
import { startServer } from '../support/server.js'

const seed = Number(process.env.FUZZ_SEED ?? 1)
const server = await startServer(t, { characters: { directory: t.testdir(castOf('Ada', 'Bo')) } })
const { http, port } = server
const PATHS = ['/v1/realtime/client_secrets', '/v1/realtime/sessions', '/v1/realtime/transcription_sessions']

async function isServed (): Promise<string | null> {
  const client = await Attacker.connect(`ws://127.0.0.1:${port}/v1/realtime`)
  const fault = await client.check()
  await client.close()
  return fault
}

/** A body is taken, or refused with a code in a JSON body; the server never has an error. */
async function isAnswered (path: string, body: string, type = 'application/json'): Promise<void> {
  const response = await fetch(http + path, { method: 'POST', body, headers: { 'content-type': type } })
  const answer = await response.json() as { error?: { code: string } }
  if (response.status !== 200 && (response.status >= 500 || typeof answer.error?.code !== 'string')) throw new Error(`${path} answers ${body.slice(0, 500)} with ${response.status}: ${JSON.stringify(answer)}`)
}

const bodies = fc.record({
  expires_after: fc.record({ anchor: fc.constant('created_at'), seconds: fc.integer({ min: 10, max: 7200 }) }),
  session: arbitraryOf(SessionUpdate)
}, { requiredKeys: [] })
const wrongBodies = fc.tuple(bodies, fc.nat(), fc.constantFrom(...hostileValues, undefined))
  .map(([body, at, value]) => writeJson(withValue(body, pathsOf(body)[at % pathsOf(body).length]!, value) ?? null))

t.test('bodies of requests for ephemeral keys are answered, however wrong', async t => {
  const body = fc.oneof({ weight: 3, arbitrary: wrongBodies }, { weight: 1, arbitrary: bodies.map(body => JSON.stringify(body)) }, { weight: 1, arbitrary: fc.json() }, { weight: 1, arbitrary: fc.string({ unit: 'binary' }) })
  const type = fc.constantFrom('application/json', 'application/json', 'application/json; charset=utf-8', 'text/plain', 'application/x-www-form-urlencoded', 'x', '')
  await t.resolves(fc.assert(fc.asyncProperty(fc.constantFrom(...PATHS), body, type, isAnswered), { seed, numRuns: 400 }))
  t.equal(await isServed(), null)
})

t.test('every field of a request for an ephemeral key, with every wrong value, is answered', async t => {
  const full = { expires_after: { anchor: 'created_at', seconds: 60 }, session: { type: 'realtime', instructions: 'x', audio: { input: { format: { type: 'audio/pcm', rate: 24000 } }, output: { voice: 'Ada', speed: 1 } }, tools: [{ type: 'function', name: 'x', parameters: {} }], tool_choice: 'auto' } }
  for (const path of pathsOf(full)) {
    for (const value of [...hostileValues, undefined]) await isAnswered(PATHS[0]!, writeJson(withValue(full, path, value) ?? null))
  }
  t.equal(await isServed(), null)
})

t.test('odd queries and headers of an upgrade are taken or refused, with no error of the server', async t => {
  const random = createRandom(seed)
  for (let n = 0; n < 400; n++) {
    const head = oddUpgrade(random, random(6) === 0 ? '/v1/sessions' : '/v1/realtime')
    const status = Number((await talkRaw(port, head)).split(' ')[1] ?? 400)
    if (!((status >= 400 && status < 500) || [101, 200].includes(status))) t.fail(`seed ${seed}: ${status} for ${JSON.stringify(head)}`)
  }
  t.equal(await isServed(), null)
})

t.test('odd frames end their own session at most', async t => {
  const random = createRandom(seed)
  const head = 'GET /v1/realtime HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
  for (let n = 0; n < 200; n++) t.match(await talkRaw(port, head, oddFrames(random)), /101/)
  t.equal(await isServed(), null)
})
