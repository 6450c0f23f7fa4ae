import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Test } from 'tap'
import { packageRoot } from '../../lib/package-root.js'

const tsx = join(packageRoot, 'node_modules', 'tsx', 'dist')

export interface CommandResult { code: number | null, out: string, err: string }

export interface CommandOptions { input?: string, cwd?: string, environment?: Record<string, string> }

/** Runs the command line in a process of its own, from source, until it ends or the test does. */
export function runCommand (t: Test, args: string[], { input = '', cwd = packageRoot, environment = {} }: CommandOptions = {}): Promise<CommandResult> {
  // What the tsx command adds; with `--import tsx` alone, worker threads do not load TypeScript.
  const loader = ['--require', join(tsx, 'preflight.cjs'), '--import', pathToFileURL(join(tsx, 'loader.mjs')).href]
  const child = spawn(process.execPath, [...loader, join(packageRoot, 'cli', 'dramatis.ts'), ...args], {
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
