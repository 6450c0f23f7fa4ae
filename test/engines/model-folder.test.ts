import t from 'tap'
import { basename } from 'node:path'
import { recognizerModel, voiceModel } from '../../lib/engines/local/model-folder.js'

/** The settings with the folder cut off every path. */
function names (settings: object): unknown {
  return JSON.parse(JSON.stringify(settings), (_key, value: unknown) => typeof value === 'string' ? basename(value) : value)
}

const folders: Record<string, { files: string[], settings: object }> = {
  'sherpa-onnx-whisper-base': {
    files: ['base-encoder.onnx', 'base-decoder.onnx', 'base-encoder.int8.onnx', 'base-decoder.int8.onnx', 'base-tokens.txt'],
    settings: { whisper: { encoder: 'base-encoder.int8.onnx', decoder: 'base-decoder.int8.onnx' }, tokens: 'base-tokens.txt' }
  },
  'sherpa-onnx-moonshine-base-en-int8': {
    files: ['preprocess.onnx', 'encode.int8.onnx', 'uncached_decode.int8.onnx', 'cached_decode.int8.onnx', 'tokens.txt'],
    settings: {
      moonshine: {
        preprocessor: 'preprocess.onnx',
        encoder: 'encode.int8.onnx',
        uncachedDecoder: 'uncached_decode.int8.onnx',
        cachedDecoder: 'cached_decode.int8.onnx'
      },
      tokens: 'tokens.txt'
    }
  },
  'sherpa-onnx-zipformer-fr': {
    files: ['encoder-epoch-29.onnx', 'decoder-epoch-29.onnx', 'joiner-epoch-29.onnx', 'tokens.txt'],
    settings: {
      transducer: { encoder: 'encoder-epoch-29.onnx', decoder: 'decoder-epoch-29.onnx', joiner: 'joiner-epoch-29.onnx' },
      tokens: 'tokens.txt'
    }
  },
  'sherpa-onnx-nemo-parakeet-tdt': {
    files: ['encoder.int8.onnx', 'decoder.int8.onnx', 'joiner.int8.onnx', 'tokens.txt'],
    settings: {
      transducer: { encoder: 'encoder.int8.onnx', decoder: 'decoder.int8.onnx', joiner: 'joiner.int8.onnx' },
      tokens: 'tokens.txt',
      modelType: 'nemo_transducer'
    }
  },
  'sherpa-onnx-sense-voice-zh-en': {
    files: ['model.onnx', 'model.int8.onnx', 'tokens.txt'],
    settings: { senseVoice: { model: 'model.int8.onnx', useInverseTextNormalization: 1 }, tokens: 'tokens.txt' }
  }
}

for (const [name, { files, settings }] of Object.entries(folders)) {
  t.test(`the files of ${name} are recognised`, async (t) => {
    const folder = t.testdir({ [name]: Object.fromEntries(files.map((file) => [file, ''])) })
    t.same(names(recognizerModel(`${folder}/${name}`)), settings)
  })
}

t.test('a folder without tokens or of another kind is told by its path', async (t) => {
  const folder = t.testdir({ empty: {}, other: { 'tokens.txt': '', 'model.onnx': '' } })
  t.throws(() => recognizerModel(`${folder}/empty`), { message: `the model folder ${folder}/empty has no tokens.txt` })
  t.throws(() => recognizerModel(`${folder}/other`), /is none of whisper, moonshine, transducer or SenseVoice/)
})

t.test('a piper voice is VITS', async (t) => {
  const folder = t.testdir({ 'de_DE-thorsten.onnx': '', 'de_DE-thorsten.onnx.json': '', 'tokens.txt': '', 'espeak-ng-data': {} })
  t.same(names(voiceModel(folder)), {
    vits: { model: 'de_DE-thorsten.onnx', tokens: 'tokens.txt', dataDir: 'espeak-ng-data', lexicon: '' }
  })
})

t.test('a folder with voices is Kokoro, or Kitten by its name', async (t) => {
  const files = { 'model.onnx': '', 'voices.bin': '', 'tokens.txt': '', 'espeak-ng-data': {}, 'lexicon-us-en.txt': '' }
  const folder = t.testdir({ 'kokoro-multi-lang': { ...files }, 'kitten-nano': { ...files, 'espeak-ng-data': {} } })
  const shared = { model: 'model.onnx', tokens: 'tokens.txt', dataDir: 'espeak-ng-data', lexicon: 'lexicon-us-en.txt', voices: 'voices.bin' }
  t.same(names(voiceModel(`${folder}/kokoro-multi-lang`)), { kokoro: shared })
  t.same(names(voiceModel(`${folder}/kitten-nano`)), { kitten: shared })
})

t.test('a folder without a voice says what is missing', async (t) => {
  const folder = t.testdir({ 'model.onnx': '' })
  t.throws(() => voiceModel(folder), { message: `the model folder ${folder} has no tokens.txt` })
})
