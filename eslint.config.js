import neostandard from 'neostandard'

export default [
  { ignores: ['dist/**', '.tap/**', 'test/fixtures/**'] },
  ...neostandard({ ts: true }),
  {
    // A schema and the type derived from it share one name; TypeScript itself reports real redeclarations.
    files: ['**/*.ts'],
    rules: { '@typescript-eslint/no-redeclare': 'off' }
  }
]
