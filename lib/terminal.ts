import { isatty } from 'node:tty'

/** Standard streams that were a terminal when the process began. */
const terminals = [0, 1, 2].filter(descriptor => isatty(descriptor))

/** Whether the terminal is closed that the process was started in. */
export function isTerminalGone (): boolean {
  return terminals.some(descriptor => !isatty(descriptor))
}

/** When it exits, Node puts its terminals back as they were; where one is gone, that would loop for ever. */
export function exitWithoutTerminal (): void {
  process.once('exit', () => {
    if (isTerminalGone()) process.kill(process.pid, 'SIGKILL')
  })
}
