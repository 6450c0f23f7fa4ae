/**
 * CommonJS reads a name that was never exported as `undefined`; an ES module refuses to start. The
 * compiled code shows which names are read from an import, but it might say so inside a string. Only
 * when one seems to be missing, the module is compiled to ES once more, whose import clauses are exact.
 */
import { extname } from 'node:path'
import { parse } from 'es-module-lexer'
import type { Compiled, Import } from './compiler.js'
import { options, transform } from './esbuild.js'
import type { Link } from './module-graph.js'
import { languages } from './resolver.js'
import type { Source } from './source.js'

export interface MissingName { item: Import, name: string }

export async function missingNames (code: Compiled, links: ReadonlyMap<string, Link>, source: Source): Promise<MissingName | undefined> {
  for (const item of code.imports) {
    const { specifier, names } = item
    const link = links.get(specifier)
    if (link === undefined) continue
    for (const name of names) {
      if (hasExport(link, name)) continue
      const imported = await importedNames(source)
      if (imported.get(specifier)?.has(name)) return { item, name }
    }
  }
  return undefined
}

function hasExport (link: Link, name: string, seen = new Set<unknown>()): boolean {
  if ('host' in link) return name in link.host
  const { module } = link
  if (module.json !== null) return name === 'default'
  if (module.unit === null || seen.has(module)) return module.unit === null
  seen.add(module)
  const { exports, stars } = module.unit.code
  if (exports.includes(name)) return true
  if (name === 'default') return false
  return stars.some(specifier => {
    const link = module.links.get(specifier)
    return link === undefined || hasExport(link, name, seen)
  })
}

/** The names in the import clauses of a module, by specifier. */
async function importedNames (source: Source): Promise<Map<string, Set<string>>> {
  const loader = languages[extname(source.file)] === 'ts' ? 'ts' : 'js'
  const { code } = await transform(source.text, { ...options, loader, format: 'esm' })
  const found = new Map<string, Set<string>>()
  for (const item of parse(code)[0]) {
    if (item.type !== 'static') continue
    const statement = code.slice(item.importStart, item.importEnd)
    const names = found.get(item.specifier) ?? new Set()
    found.set(item.specifier, names)
    const open = statement.indexOf('{')
    const clause = open === -1 ? '' : statement.slice(open + 1, statement.indexOf('}'))
    const before = statement.slice('import'.length, open === -1 ? statement.lastIndexOf(' from ') : open).trim()
    if (before !== '' && !before.startsWith('*') && !before.startsWith('"')) names.add('default')
    for (const part of clause.split(',')) {
      const [name] = part.trim().split(' as ')
      if (name !== undefined && name !== '') names.add(name)
    }
  }
  return found
}
