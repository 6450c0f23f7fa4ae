import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

// Addresses are relative: the pages stand under whatever prefix an embedder has chosen.
export default defineConfig({
  root: at('.'),
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: at('../dist/playground'),
    emptyOutDir: true,
    assetsDir: 'playground',
    // Nothing inline: the content security policy allows files of this server alone.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    rolldownOptions: { input: [at('index.html'), at('admin.html')] }
  },
  worker: { format: 'es' },
  // npm run dev:playground beside a server that runs
  server: { proxy: { '/v1': { target: 'http://127.0.0.1:8000', ws: true }, '/health': 'http://127.0.0.1:8000', '/metrics': 'http://127.0.0.1:8000' } }
})
