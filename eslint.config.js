import neostandard from 'neostandard'

export default [
  { ignores: ['dist/**', '.tap/**', 'test/fixtures/**'] },
  ...neostandard({ ts: true })
]
