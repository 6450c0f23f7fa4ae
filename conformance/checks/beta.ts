import { equal, expect, NotExercised, type Bench, type Check } from '../check.js'
import { Client, Refused } from '../client.js'
import type { Frame } from '../ledger.js'

/** The retired dialect has frames of its own, which the accounts of GA do not count. */
const unjudged = {
  take (data: Buffer): Frame | null {
    try {
      return JSON.parse(data.toString())
    } catch {
      return null
    }
  }
}

/** Connects as clients of the beta do. The hosted server refuses them by now, and others need not know them. */
async function withBeta ({ target }: Bench, run: (client: Client) => Promise<void>): Promise<void> {
  let client: Client
  try {
    client = await Client.connect(target, unjudged, { headers: { 'openai-beta': 'realtime=v1' } })
  } catch (error) {
    throw error instanceof Refused ? new NotExercised(`beta is refused: ${error.message}`) : error
  }
  try {
    const first = await client.take('session.created')
    if (first.type === 'error') throw new NotExercised('beta is refused')
    if (first.session?.input_audio_format === undefined) throw new NotExercised('the server speaks GA to beta clients')
    await run(client)
  } finally {
    client.end()
  }
}

const checks: Check[] = [
  {
    name: 'the order on connect, and of a written answer',
    section: '7.9',
    async run (bench) {
      await withBeta(bench, async client => {
        await client.sequence('conversation.created')
        client.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Say good morning.' }] } })
        const [item] = await client.sequence('conversation.item.created')
        equal(item!.item.object, 'realtime.item', 'item.object', item)
        client.send({ type: 'response.create', response: { modalities: ['text'] } })
        const from = client.frames.length
        const done = await client.next('response.done')
        if (done.response.status !== 'completed') throw new NotExercised(`the response is ${done.response.status}`)
        const types = client.frames.slice(from, client.frames.indexOf(done)).map(frame => frame.type)
        const once = types.filter((type, index) => type !== types[index - 1])
        equal(once, [
          'response.created', 'response.output_item.added', 'conversation.item.created', 'response.content_part.added',
          'response.text.delta', 'response.text.done', 'response.content_part.done', 'response.output_item.done'
        ], 'the events')
      })
    }
  },
  {
    name: 'a flat update without a session type',
    section: '3.3',
    async run (bench) {
      await withBeta(bench, async client => {
        client.send({ type: 'session.update', session: { modalities: ['text'], turn_detection: null, temperature: 0.7 } })
        const { session } = await client.next('session.updated')
        equal([session.modalities, session.turn_detection, session.temperature], [['text'], null, 0.7], 'modalities, turn_detection, temperature', session)
        expect(session.audio === undefined, 'a flat session', session)
      })
    }
  }
]

export default checks
