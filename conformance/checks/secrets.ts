import { equal, expect, Failure, type Check } from '../check.js'
import type { Target } from '../client.js'
import { clientSecret } from '../reference/events.js'

/** Asks for an ephemeral key. */
async function makeSecret ({ url, key, timeoutMs }: Target, body: unknown): Promise<{ status: number, body: any }> {
  const response = await fetch(`${url.replace(/^ws/, 'http')}/client_secrets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...key === null ? {} : { authorization: `Bearer ${key}` } },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(timeoutMs)
  }).catch((error: Error) => { throw new Failure('an answer of POST /client_secrets', error.message) })
  return { status: response.status, body: await response.json().catch(() => null) }
}

const checks: Check[] = [
  {
    name: 'POST /client_secrets makes a key with its expiry and its session',
    section: '2.2',
    async run ({ target }) {
      const { status, body } = await makeSecret(target, { expires_after: { anchor: 'created_at', seconds: 60 }, session: { type: 'realtime', model: target.model, instructions: 'Be brief.' } })
      equal(status, 200, 'HTTP', body)
      const fault = clientSecret(body, '')
      expect(fault === null, 'the documented shape', fault, body)
      expect(Math.abs(body.expires_at - Date.now() / 1000 - 60) < 30, 'expires_at a minute from now', body.expires_at, body)
      equal(body.session.instructions, 'Be brief.', 'session.instructions', body)
    }
  },
  {
    name: 'a browser connects with it by subprotocol, and has its session',
    section: '2.2',
    async run ({ target, connect }) {
      const { body } = await makeSecret(target, { session: { type: 'realtime', model: target.model, instructions: 'Be brief.' } })
      expect(typeof body?.value === 'string', 'a key', body)
      const client = await connect({ key: null, protocols: ['realtime', `openai-insecure-api-key.${body.value}`] })
      const [created] = await client.sequence('session.created')
      equal([client.socket.protocol, created!.session.instructions], ['realtime', 'Be brief.'], 'the subprotocol and the instructions', created)
    }
  },
  {
    name: 'a lifetime of more than two hours is refused',
    section: '2.2',
    async run ({ target }) {
      const { status, body } = await makeSecret(target, { expires_after: { anchor: 'created_at', seconds: 7201 }, session: { type: 'realtime', model: target.model } })
      equal(status, 400, 'HTTP', body)
    }
  }
]

export default checks
