import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Fastify from 'fastify'
import t from 'tap'
import dramatis from '../../app.js'
import { Environment } from '../../lib/environment.js'
import { packageRoot } from '../../lib/package-root.js'
import { optionsPage } from '../../scripts/options-page.js'
import { cannedEngines } from '../support/engines.js'

const readme = readFileSync(join(packageRoot, 'README.md'), 'utf8')
const section = (title: string) => new RegExp(`## ${title}\n([^]*?)\n## `).exec(readme)![1]!

t.test('the README names every variable of the environment, and no other', async t => {
  const named = new Set(section('Settings').match(/`[A-Z][A-Z_]+(?==|`)/g)!.map(name => name.slice(1)))
  t.strictSame([...named].sort(), Object.keys(Environment.properties).sort())
})

t.test('the README names every path that is served, and no other', async t => {
  const served: string[] = []
  const app = Fastify()
  app.addHook('onRoute', ({ url, method }) => { if (method !== 'HEAD' && method !== 'OPTIONS') served.push(url) })
  // What the pages themselves load is nobody else's business.
  const isOfPages = (url: string) => url.startsWith('/playground')
  await app.register(dramatis, cannedEngines())
  t.teardown(() => app.close())
  const named = section('What it serves').match(/(?<=`(?:GET |POST )?)\/(?:v1|health|metrics)[\w/:]*|(?<=`GET )\/(?:admin)?(?=`)/g)!
  t.strictSame([...new Set(named)].sort(), [...new Set(served)].filter(url => !isOfPages(url)).sort())
})

t.test('the README links to nothing that is missing', async t => {
  for (const [, path = ''] of readme.matchAll(/\]\((?!http)([^)#]+)/g)) t.ok(existsSync(join(packageRoot, path)), path)
})

t.test('docs/options.md is what `npm run docs` writes', async t => {
  t.equal(readFileSync(join(packageRoot, 'docs', 'options.md'), 'utf8'), optionsPage(), 'run npm run docs')
})

t.test('the index of the docs leads to every page, and no link of any page leads nowhere', async t => {
  const pages = readdirSync(join(packageRoot, 'docs')).filter(name => name.endsWith('.md'))
  const read = (page: string) => readFileSync(join(packageRoot, 'docs', page), 'utf8')
  const index = read('README.md')
  for (const page of pages) if (page !== 'README.md') t.ok(index.includes(`(${page})`), page)
  for (const page of pages) {
    for (const [, link = ''] of read(page).replace(/^```[^]*?^```/gm, '').matchAll(/\]\((?!http|#)([^)#]+)/g)) t.ok(existsSync(join(packageRoot, 'docs', link)), `${page}: ${link}`)
  }
})
