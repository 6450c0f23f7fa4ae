import t from 'tap'
import { Channel } from '../lib/channel.js'
import { collect } from './support/streams.js'

t.test('values come out in order, pushed before or while reading', async (t) => {
  const channel = new Channel<number>()
  channel.push(1)
  const reading = collect(channel)
  channel.push(2)
  channel.end()
  channel.push(3)
  t.same(await reading, [1, 2])
})

t.test('a fault overtakes what is queued, once', async (t) => {
  const channel = new Channel<number>()
  channel.push(1)
  channel.fail(new Error('broken'))
  t.equal(channel.size, 0)
  await t.rejects(collect(channel), { message: 'broken' })
  t.same(await collect(channel), [])
})

t.test('a fault reaches a reader that waits', async (t) => {
  const channel = new Channel<number>()
  const reading = collect(channel)
  channel.fail(new Error('broken'))
  await t.rejects(reading, { message: 'broken' })
})

t.test('a reader that stops drops the rest and tells it once', async (t) => {
  let returned = 0
  const channel = new Channel<number>(() => { returned++ })
  channel.push(1)
  channel.push(2)
  for await (const value of channel) if (value === 1) break
  channel.push(3)
  t.equal(channel.size, 0)
  t.equal(returned, 1)
  t.same(await collect(channel), [])
})

t.test('a reader that reached the end has not stopped early', async (t) => {
  const channel = new Channel<number>(() => t.fail())
  channel.end()
  t.same(await collect(channel), [])
})
