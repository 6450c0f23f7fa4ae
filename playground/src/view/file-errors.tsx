import type { FileError } from '../../../lib/client/index.js'

/** What is wrong with each file, where a person looks for it. */
export function FileErrors ({ errors }: { errors: readonly FileError[] }) {
  if (errors.length === 0) return null
  return (
    <ul class='file-errors' aria-label='Errors in files'>
      {errors.map(({ file, line, column, code, message }) => (
        <li key={`${file}:${line}:${column}:${message}`}>
          <strong>{[file, line, column].filter(part => part !== null).join(':')}</strong> <code>{code}</code>
          <p>{message}</p>
        </li>
      ))}
    </ul>
  )
}
