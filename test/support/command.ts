import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import type { Test } from 'tap'
import { packageRoot } from '../../lib/package-root.js'
import { program } from './program.js'

export interface CommandResult { code: number | null, out: string, err: string }

export interface CommandOptions { input?: string, cwd?: string, environment?: Record<string, string> }

/** Starts the command line in a process of its own, which ends with the test at the latest. */
export function startCommand (t: Test, args: string[], { cwd = packageRoot, environment = {} }: Omit<CommandOptions, 'input'> = {}): { child: ChildProcessWithoutNullStreams, out: () => string } {
  const child = spawn(process.execPath, [...program('cli/dramatis'), ...args], {
    cwd, env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment }
  })
  t.teardown(() => child.kill('SIGKILL'))
  let out = ''
  child.stdout.on('data', chunk => { out += chunk })
  child.stdin.on('error', () => {})
  return { child, out: () => out }
}

/** Runs it until it ends. */
export function runCommand (t: Test, args: string[], { input = '', ...options }: CommandOptions = {}): Promise<CommandResult> {
  const { child, out } = startCommand(t, args, options)
  let err = ''
  child.stderr.on('data', chunk => { err += chunk })
  child.stdin.end(input)
  return new Promise(resolve => child.once('close', code => resolve({ code, out: out(), err })))
}
