import { setTimeout as sleep } from 'node:timers/promises'
import { mustComplete, readAnswer } from '../answer.js'
import { equal, expect, Failure, type Check } from '../check.js'
import type { Frame } from '../ledger.js'
import { silence } from '../speech.js'
import { audioOf, listen } from './audio.js'
import { update } from './session.js'

const IDLE_MS = 5000
/** How much later than due is still in time. */
const GRACE_MS = 5000

const checks: Check[] = [
  {
    name: 'after idle_timeout_ms of silence the server speaks up',
    section: '7.6',
    async run ({ open }) {
      const client = await open()
      await update(client, { audio: { input: { turn_detection: { type: 'server_vad', idle_timeout_ms: IDLE_MS } } } })
      const first = await listen(client, 'Say only: yes.')
      mustComplete(first)

      const from = client.frames.length
      const deadline = performance.now() + audioOf(first).length / 48 + IDLE_MS + GRACE_MS
      const triggered = (): Frame | undefined => client.frames.slice(from).find(frame => frame.type === 'input_audio_buffer.timeout_triggered')
      // A microphone that hears nothing: the timeout is told as a position of its audio.
      while (triggered() === undefined) {
        if (performance.now() > deadline) throw new Failure('input_audio_buffer.timeout_triggered', `nothing ${GRACE_MS} ms after it was due`)
        client.append(silence(100))
        await sleep(100)
      }
      const frame = await client.next('input_audio_buffer.timeout_triggered')
      expect(frame.audio_end_ms >= frame.audio_start_ms, 'audio_end_ms after audio_start_ms', [frame.audio_start_ms, frame.audio_end_ms], frame)

      const [system, , committed, user] = await client.sequence(
        'conversation.item.added', 'conversation.item.done', 'input_audio_buffer.committed', 'conversation.item.added', 'conversation.item.done')
      equal(system!.item.role, 'system', 'first an item with role', system)
      equal(committed!.previous_item_id, system!.item.id, 'previous_item_id', committed)
      equal([user!.item.role, user!.item.id, frame.item_id], ['user', committed!.item_id, committed!.item_id], 'then an item with role and id', user)
      await readAnswer(client)
    }
  }
]

export default checks
