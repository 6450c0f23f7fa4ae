/** The code blocks of the README and of the docs, each to be taken by one test that runs it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../lib/package-root.js'

export interface Block { page: string, line: number, language: string, code: string }

const pages = ['README.md', 'deploy/README.md', ...readdirSync(join(packageRoot, 'docs')).filter(name => name.endsWith('.md')).map(name => `docs/${name}`)]

const blocks: readonly Block[] = pages.flatMap(page => {
  const text = readFileSync(join(packageRoot, page), 'utf8')
  return [...text.matchAll(/^```(\w*)\n([^]*?)^```/gm)].map(({ 1: language = '', 2: code = '', index }) => ({
    page, language, code, line: text.slice(0, index).split('\n').length
  }))
})
const taken = new Set<Block>()

export const name = ({ page, line }: Block): string => `${page}:${line}`

/** Blocks for a test to run; there must be some, and nobody else may have taken them. */
export function take (language: string, where: (block: Block) => boolean = () => true): Block[] {
  const found = blocks.filter(block => block.language === language && !taken.has(block) && where(block))
  if (found.length === 0) throw new Error(`The docs have no such ${language || 'plain'} block any more.`)
  for (const block of found) taken.add(block)
  return found
}

/** The only block of a page that has this in it. */
export function takeOne (language: string, page: string, text = ''): Block {
  const found = take(language, block => block.page === page && block.code.includes(text))
  if (found.length > 1) throw new Error(`${page} has several ${language} blocks with '${text}'.`)
  return found[0]!
}

/** What no test has taken. */
export function left (): string[] {
  return blocks.filter(block => !taken.has(block)).map(block => `${name(block)} ${block.language}`)
}
