import { existsSync } from 'node:fs'
import { serve, type Reply } from '../../lib/engines/local/rpc.js'

const watchers = new Set<Reply<string>>()

/** Tells how many samples it was given, and is done with none of them until a 'take' comes. */
function hoard (reply: Reply<string>): { data (value: string | Int16Array): void, end (): void } {
  let held = 0
  let total = 0
  let taking = false
  return {
    data (value) {
      if (value === 'exit') process.exit(3)
      if (value === 'take') taking = true
      else {
        held += value.length
        total += value.length
        reply.send(String(total))
      }
      if (!taking) return
      reply.took(held)
      held = 0
    },
    end: () => reply.end()
  }
}

/** A worker for tests: gives back what it gets behind the stream's name, and breaks on request. */
await serve(async ({ fault, missing, exitIf }: { fault?: string, missing?: string, exitIf?: string }) => {
  if (exitIf && existsSync(exitIf)) process.exit(3)
  if (fault) throw new Error(fault)
  if (missing) await import(missing)
  return {
    info: 'loaded',
    open (name: string, reply: Reply<string>) {
      if (name === 'aborts') watchers.add(reply)
      if (name === 'hoards') return hoard(reply)
      return {
        data (value: string) {
          if (value === 'throw') throw new Error('thrown on request')
          if (value === 'exit') process.exit(3)
          if (value === 'hang') for (;;);
          if (value === 'uncaught') setImmediate(() => { throw new Error('uncaught on request') })
          reply.send(name + value)
        },
        end: () => reply.end(),
        abort: () => { for (const watcher of watchers) watcher.send(`aborted ${name}`) }
      }
    }
  }
})
