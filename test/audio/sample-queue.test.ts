import t from 'tap'
import { SampleQueue } from '../../lib/audio/sample-queue.js'

/** The samples of a stretch, each of them its position. */
const numbers = (from: number, to: number) => Int16Array.from({ length: to - from }, (_, index) => (from + index) % 30_000)

t.test('a stretch comes out as it went in, whatever the chunks', async t => {
  const queue = new SampleQueue()
  for (let at = 0; at < 60_000; at += 2401) queue.append(numbers(at, Math.min(60_000, at + 2401)))
  t.equal(queue.end, 60_000)
  for (const [from, to] of [[0, 60_000], [11_999, 12_001], [12_000, 24_000], [5, 5], [59_999, 60_000]] as const) {
    t.strictSame(queue.slice(from, to), numbers(from, to), `${from} to ${to}`)
  }
})

t.test('positions go on after the oldest samples were let go', async t => {
  const queue = new SampleQueue()
  queue.append(numbers(0, 30_000))
  queue.forget(13_000)
  t.equal(queue.start, 13_000)
  t.strictSame(queue.slice(0, 14_000), numbers(13_000, 14_000), 'what is gone is left out')
  queue.append(numbers(30_000, 50_000))
  t.strictSame(queue.slice(25_000, 45_000), numbers(25_000, 45_000))
  queue.forget(99_999)
  t.equal(queue.start, 50_000)
  queue.append(numbers(50_000, 50_010))
  t.strictSame(queue.slice(0, 99_999), numbers(50_000, 50_010))
  queue.forget(10)
  t.equal(queue.start, 50_000, 'and never come back')
})

t.test('a copy stays what it was when its memory goes to another session', async t => {
  const [one, other] = [new SampleQueue(), new SampleQueue()]
  one.append(numbers(0, 12_000))
  const copy = one.slice(0, 12_000)
  one.forget(12_000)
  other.append(new Int16Array(12_000).fill(7))
  t.strictSame(copy, numbers(0, 12_000))
  t.strictSame(other.slice(0, 3), new Int16Array([7, 7, 7]))
})
