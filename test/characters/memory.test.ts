import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const script = join(import.meta.dirname, '../../bench/characters/cycles.ts')

interface Left { slope: number, registered: number, collected: number, live: number, before: string, after: string, listeners: number }

async function measure (cycles: number): Promise<Left> {
  const args = ['--expose-gc', '--import', 'tsx', script, String(cycles), '5']
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } })
  return JSON.parse(stdout)
}

t.test('sessions that open, reload, talk and close in every order leave nothing', async t => {
  let left = await measure(2000)
  // What the process itself still grows by weighs less in a longer run; a leak weighs the same.
  if (left.slope >= 200) left = await measure(6000)
  t.ok(left.registered > 2000)
  t.equal(left.collected, left.registered, 'every namespace was collected')
  t.ok(left.slope < 200, `${Math.round(left.slope)} bytes a cycle`)
  t.equal(left.live, 0)
  t.equal(left.after, left.before, 'handles are back to the start')
  t.equal(left.listeners, 0)
})
