/**
 * Removes from dist/ the type declarations that no export of the package reaches: two of three, which
 * weigh in every installation and which nobody can import.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { packageRoot } from '../lib/package-root.js'

const { exports } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { exports: Record<string, { types?: string } | string> }
const reached = new Set<string>()

function follow (file: string): void {
  if (reached.has(file) || !existsSync(file)) return
  reached.add(file)
  for (const [, specifier] of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)) {
    follow(join(dirname(file), specifier!.replace(/\.js$/, '.d.ts')))
  }
}

for (const target of Object.values(exports)) {
  if (typeof target !== 'string' && target.types !== undefined) follow(join(packageRoot, target.types))
}

const dist = join(packageRoot, 'dist')
for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
  if (name.endsWith('.d.ts') && !reached.has(join(dist, name))) rmSync(join(dist, name))
}
