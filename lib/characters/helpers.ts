/**
 * esbuild repeats its run-time helpers (`__export`, `__toESM`, decorators, ...) at the top of every
 * output. They are taken off and shared by all wrappers as parameters, which saves a third of the
 * memory and time of a namespace. Their exact text is learned from this esbuild by compiling a probe
 * that needs all of them, so that a helper is only ever taken off when it is known word for word.
 */
import { init } from 'es-module-lexer'
import { options, transform } from './esbuild.js'

export interface Helpers {
  names: readonly string[]
  /** What stands before the code. */
  headOf (code: string): Head
}

/** The helpers that an output begins with. */
export interface Head { text: string, lines: number }

/** Outputs that need the same helpers begin alike, and there are few kinds: they are read once. */
const HEADS = 32

const PROBE = `
import a, * as b from 'a'
export * from 'c'
export const d = [a, b]
class E { @d accessor f = 1; @d static #g = 2; @d h () { return E.#g } }
export default E
`

/** What a helper begins with. */
const HELPER = 'var __'

const define = Object.defineProperty

/** Linking hands out real namespace objects, so the conversions have nothing to convert. */
const ours: Record<string, unknown> = {
  __toESM: (namespace: object) => namespace,
  __toCommonJS: (exports: object) => exports,
  __export (target: object, getters: Record<string, () => unknown>) {
    for (const name in getters) define(target, name, { get: getters[name]!, enumerable: true })
  },
  __reExport (target: object, namespace: Record<string, unknown>) {
    for (const name of Object.keys(namespace)) {
      if (name === 'default' || Object.hasOwn(target, name)) continue
      define(target, name, { get: () => namespace[name], enumerable: true })
    }
  }
}

let helpers: Promise<Helpers> | undefined
let values: Record<string, unknown> = ours

/** A helper's value, for code that was compiled before. */
export function helperValue (name: string): unknown {
  return values[name]
}

export function loadHelpers (): Promise<Helpers> {
  helpers ??= learn()
  helpers.catch(() => { helpers = undefined })
  return helpers
}

async function learn (): Promise<Helpers> {
  await init
  const { code } = await transform(PROBE, { ...options, loader: 'ts' })
  const known = new Map<string, string>()
  let at = 0
  for (let statement = readHelper(code, at); statement !== undefined; statement = readHelper(code, at)) {
    known.set(statement.name, normalize(statement.text))
    at += statement.text.length
  }
  // eslint-disable-next-line no-new-func -- esbuild's own text
  const learned = new Function(`${code.slice(0, at)}return { ${[...known.keys()].join(', ')} }`)() as Record<string, unknown>
  values = Object.assign(learned, ours)

  const heads: Head[] = []
  const read = (code: string): Head => {
    let at = 0
    let lines = 0
    for (let helper = readHelper(code, at); helper !== undefined && known.get(helper.name) === normalize(helper.text); helper = readHelper(code, at)) {
      at += helper.text.length
      lines += helper.text.split('\n').length - 1
    }
    return { text: code.slice(0, at), lines }
  }
  return {
    names: Object.keys(values),
    headOf (code) {
      const found = heads.find(({ text }) => code.startsWith(text) && !code.startsWith(HELPER, text.length))
      if (found !== undefined) return found
      const head = read(code)
      if (heads.length < HEADS && heads.every(({ text }) => text !== head.text)) heads.push(head)
      return head
    }
  }
}

/** esbuild renames a helper's parameter `all` to `all2` when the author has a variable `all`. */
function normalize (text: string): string {
  return text.replace(/([A-Za-z_$])\d+\b/g, '$1')
}

/** A helper is `var __name = ...`, up to the first line that is not indented and ends with a semicolon. */
function readHelper (code: string, at: number): { name: string, text: string } | undefined {
  if (!code.startsWith(HELPER, at)) return undefined
  const space = code.indexOf(' ', at + 4)
  const name = code.slice(at + 4, space)
  if (!code.startsWith(' = ', space)) return undefined
  for (let start = at, end = code.indexOf('\n', at); end !== -1; start = end + 1, end = code.indexOf('\n', start)) {
    if (code[start] !== ' ' && code[end - 1] === ';') return { name, text: code.slice(at, end + 1) }
  }
  return undefined
}
