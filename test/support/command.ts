import { spawn } from 'node:child_process'
import type { Test } from 'tap'
import { packageRoot } from '../../lib/package-root.js'
import { program } from './program.js'

export interface CommandResult { code: number | null, out: string, err: string }

export interface CommandOptions { input?: string, cwd?: string, environment?: Record<string, string> }

/** Runs the command line in a process of its own, until it ends or the test does. */
export function runCommand (t: Test, args: string[], { input = '', cwd = packageRoot, environment = {} }: CommandOptions = {}): Promise<CommandResult> {
  const child = spawn(process.execPath, [...program('cli/dramatis'), ...args], {
    cwd, env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment }
  })
  t.teardown(() => child.kill('SIGKILL'))
  const result = { code: null, out: '', err: '' }
  child.stdout.on('data', chunk => { result.out += chunk })
  child.stderr.on('data', chunk => { result.err += chunk })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  return new Promise(resolve => child.once('close', code => resolve({ ...result, code })))
}
