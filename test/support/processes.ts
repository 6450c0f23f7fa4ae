import { readFileSync } from 'node:fs'

/** Processes that one has started and that run a module. */
export function childrenOf (parent: number, module: string): number[] {
  return readIfThere(`/proc/${parent}/task/${parent}/children`).split(' ').filter(pid => pid !== '').map(Number)
    .filter(pid => isAlive(pid) && readIfThere(`/proc/${pid}/cmdline`).includes(module))
}

/** Whether a process runs; one that has ended and that nobody has asked about does not. */
export function isAlive (pid: number): boolean {
  return /^State:\s+[^Z]/m.test(readIfThere(`/proc/${pid}/status`))
}

function readIfThere (file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
