import { execFile } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'

const script = join(import.meta.dirname, '../../bench/characters/cycles.ts')

interface Left { slope: number, registered: number, collected: number, live: number, before: string, after: string, listeners: number }

t.test('sessions that open, reload, talk and close in every order leave nothing', async t => {
  const args = ['--expose-gc', '--import', 'tsx', script, '1500', '5']
  const { stdout, stderr, error } = await new Promise<{ stdout: string, stderr: string, error: Error | null }>(resolve => {
    // Ten times what it takes; it must not outlive the test
    execFile(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' }, timeout: 100_000, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => resolve({ stdout, stderr, error }))
  })
  t.equal(error, null, `it ran to its end:\n${stderr}`)
  const left = JSON.parse(stdout) as Left
  t.ok(left.registered > 1500)
  t.equal(left.collected, left.registered, 'every namespace was collected')
  t.ok(left.slope < 200, `${Math.round(left.slope)} bytes a cycle`)
  t.equal(left.live, 0)
  t.equal(left.after, left.before, 'handles are back to the start')
  t.equal(left.listeners, 0)
})
