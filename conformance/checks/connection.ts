import { once } from 'node:events'
import { equal, expect, Failure, NotExercised, type Check } from '../check.js'
import { Refused, type Client } from '../client.js'

const GARBAGE = ['', '{', 'null', '[]', '42', '"text"', '{}', '{"type":null}', '{"type":42}', '{"type":"toString"}', '['.repeat(5000), '{"type":"session.update","session":null}']

const checks: Check[] = [
  {
    name: 'session.created comes first, and nothing after it unasked',
    section: '2.1',
    async run ({ connect }) {
      const client = await connect()
      await client.sequence('session.created')
      equal((await client.settle()).map(frame => frame.type), [], 'unasked events', client.frames[1])
    }
  },
  {
    name: 'of the offered subprotocols `realtime` is selected, never one with a key',
    section: '2.1',
    async run ({ open, target }) {
      const client = await open({ key: null, protocols: ['realtime', `openai-insecure-api-key.${target.key ?? 'none'}`] })
      equal(client.socket.protocol, 'realtime', 'the subprotocol')
    }
  },
  {
    name: 'no subprotocol is selected when none is offered',
    section: '2.1',
    async run ({ open }) {
      equal((await open()).socket.protocol, '', 'the subprotocol')
    }
  },
  {
    name: 'a wrong key is refused: with HTTP 401, or by an error and a close',
    section: '2.1',
    async run ({ connect, target }) {
      if (target.key === null) throw new NotExercised('no --key was given')
      let client: Client
      try {
        client = await connect({ key: `${target.key}-wrong` })
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        equal(error.status, 401, 'HTTP')
        return
      }
      const frame = await client.take('error')
      equal(frame.type, 'error', 'the first frame', frame)
      equal(frame.error.code, 'invalid_api_key', 'error.code', frame)
      await client.gone()
    }
  },
  {
    name: 'each garbage frame is answered by one error, and the session lives on',
    section: '10',
    async run ({ open }) {
      const client = await open()
      for (const frame of GARBAGE) {
        client.socket.send(frame)
        await client.sequence('error')
      }
      equal((await client.settle()).length, 0, 'further frames')
    }
  },
  {
    name: 'a ping is answered',
    section: '2.1',
    async run ({ open, target }) {
      const { socket } = await open()
      socket.ping('conformance')
      const [data] = await once(socket, 'pong', { signal: AbortSignal.timeout(target.timeoutMs) }).catch(() => { throw new Failure('a pong', 'none') })
      equal(String(data), 'conformance', 'a pong with')
    }
  },
  {
    name: 'a close by the client is answered in kind',
    section: '2.1',
    async run ({ open }) {
      const client = await open()
      client.socket.close(1000, 'OK')
      const { code } = await client.gone()
      expect(code === 1000, 'close code 1000', code)
    }
  }
]

export default checks
