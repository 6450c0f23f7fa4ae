import * as module from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'

/**
 * URL of a worker's entry file that stands beside the calling module.
 *
 * @param base the caller's `import.meta.url`
 * @param name file name without extension
 *
 * Node starts workers by file name, with no mapping of `.js` to `.ts`: the entry has the extension
 * of the module that asks, `.ts` when running from source and `.js` when built.
 */
export function threadUrl (base: string, name: string): URL {
  return new URL(`./${name}${extname(fileURLToPath(base))}`, base)
}

/** Starts a worker from a {@link threadUrl}. */
export function startThread (entry: URL, options: WorkerOptions = {}): Worker {
  const loader = tsxArguments(entry)
  if (loader.length === 0 && options.execArgv === undefined) return new Worker(entry, options)
  // What is inherited is not checked, what is given is: sizes of the heap are the whole process's, and no thread may be given them
  const inherited = process.execArgv.filter(argument => !argument.startsWith('--max-'))
  return new Worker(entry, { ...options, execArgv: [...options.execArgv ?? inherited, ...loader] })
}

/** Where Node has no synchronous module hooks, tsx leaves worker threads without its loader. */
function tsxArguments (entry: URL): string[] {
  const underTsx = process.execArgv.some((argument) => /[\\/]tsx[\\/]/.test(argument))
  if (!underTsx || 'registerHooks' in module || !entry.pathname.endsWith('.ts')) return []
  const register = `import { register } from ${JSON.stringify(import.meta.resolve('tsx/esm/api'))}; register()`
  return ['--import', `data:text/javascript,${encodeURIComponent(register)}`]
}
