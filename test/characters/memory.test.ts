import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { character, createLibrary } from './casts.js'

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

t.test('a library that is closed before its thread has started keeps the process until it is closed', async t => {
  // Whoever awaits the end of a thread that the process does not stay for may never hear of it
  const unref = t.capture(Worker.prototype, 'unref')
  const { library } = createLibrary(t, { 'a.ts': character('a') })
  await library.close()
  await setImmediate()
  t.strictSame(unref(), [])
})
