import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const script = join(import.meta.dirname, '../../bench/characters/cycles.ts')

t.test('sessions that open, reload, talk and close in every order leave nothing', async t => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', '--import', 'tsx', script, '2000', '5'], { env: { ...process.env, NODE_OPTIONS: '' } })
  const left = JSON.parse(stdout) as { slope: number, registered: number, collected: number, live: number, before: string, after: string, listeners: number }
  t.ok(left.registered > 2000)
  t.equal(left.collected, left.registered, 'every namespace was collected')
  t.ok(left.slope < 200, `${Math.round(left.slope)} bytes a cycle`)
  t.equal(left.live, 0)
  t.equal(left.after, left.before, 'handles are back to the start')
  t.equal(left.listeners, 0)
})
