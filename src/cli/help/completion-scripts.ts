// Pure: the scripts of `kdr completion`. Each finds out which command the words before the cursor name, and offers its subcommands, or
// its options after a `-`. A word behind an option that takes a value is that value: the shell completes a file name.

import { type CommandNode, everyCommand, type OptionNode } from './command-tree.ts'

type Known = {
  readonly path: string
  readonly commands: readonly CommandNode[]
  readonly options: readonly OptionNode[]
}

/** By path; the program's own options stand behind every command. */
function knownOf(program: CommandNode): Known[] {
  const help: OptionNode = {
    long: '--help',
    short: '-h',
    flags: '-h, --help',
    takesValue: false,
    description: 'print help',
    isRequired: false,
  }
  const shared = [...program.options.filter(({ long }) => long !== '--version'), help]
  return [...everyCommand(program)].map(({ path, commands, options }) => ({
    path: path.join(' '),
    commands,
    options: path.length === 0 ? [...options, help] : [...options, ...shared],
  }))
}

const namesOf = ({ long, short }: OptionNode): string[] => [long, short].filter(name => name !== undefined)
const lastOf = ({ path }: CommandNode): string => path.at(-1) ?? ''
/** In single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

export function bashCompletion(program: CommandNode): string {
  return `# bash completion of kdr, made by \`kdr completion bash\`
${wordsFunction(program)}
_kdr() {
  local current=\${COMP_WORDS[COMP_CWORD]} path='' commands options valued word i isValue=
  _kdr_words ''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $isValue ]]; then isValue=
    elif [[ " $valued " == *" $word "* ]]; then isValue=1
    elif [[ " $commands " == *" $word "* ]]; then path="\${path:+$path }$word"; _kdr_words "$path"
    fi
  done
  COMPREPLY=()
  if [[ -n $isValue ]]; then return; fi
  if [[ $current == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$current"))
  else COMPREPLY=($(compgen -W "$commands" -- "$current"))
  fi
}
complete -o default -F _kdr kdr
`
}

export function zshCompletion(program: CommandNode): string {
  return `#compdef kdr
# zsh completion of kdr, made by \`kdr completion zsh\`
${wordsFunction(program)}
_kdr() {
  local where='' commands options valued word isValue=
  _kdr_words ''
  for word in \${words[2,CURRENT-1]}; do
    if [[ -n $isValue ]]; then isValue=
    elif [[ " $valued " == *" $word "* ]]; then isValue=1
    elif [[ " $commands " == *" $word "* ]]; then where="\${where:+$where }$word"; _kdr_words "$where"
    fi
  done
  if [[ -n $isValue ]]; then _files
  elif [[ \${words[CURRENT]} == -* ]]; then compadd -- \${=options}
  elif [[ -n $commands ]]; then compadd -- \${=commands}
  else _files
  fi
}
if [[ \${funcstack[1]} == _kdr ]]; then _kdr "$@"; else compdef _kdr kdr; fi
`
}

/** Sets \`commands\`, \`options\` and \`valued\` (options that take a value) for a path. */
function wordsFunction(program: CommandNode): string {
  const cases = knownOf(program).map(({ path, commands, options }) => {
    const valued = options.filter(({ takesValue }) => takesValue).flatMap(namesOf)
    const words = (list: readonly string[]): string => quoted(list.join(' '))
    return `    ${quoted(path)}) commands=${words(commands.map(lastOf))} options=${words(options.flatMap(namesOf))} valued=${words(valued)} ;;`
  })
  return `_kdr_words() {\n  case $1 in\n${cases.join('\n')}\n  esac\n}\n`
}

export function fishCompletion(program: CommandNode): string {
  const known = knownOf(program)
  const isAt = (path: string): string => `-n ${quoted(`test "$(__kdr_path)" = ${JSON.stringify(path)}`)}`
  const commands = known.flatMap(({ path, commands }) =>
    commands.map(
      each => `complete -c kdr ${isAt(path)} -f -a ${lastOf(each)} -d ${quoted(firstSentence(each))}`,
    ),
  )
  const options = known.flatMap(({ path, options }) =>
    options.map(({ long, short, takesValue, description }) =>
      [
        `complete -c kdr ${isAt(path)}`,
        ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
        ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
        ...(takesValue ? ['-r'] : []),
        `-d ${quoted(description)}`,
      ].join(' '),
    ),
  )
  const steps = known
    .filter(({ path }) => path !== '')
    .map(({ path }) => quoted(path))
    .join(' ')
  const valued = new Set(
    known.flatMap(({ options }) => options.filter(({ takesValue }) => takesValue).flatMap(namesOf)),
  )
  return `# fish completion of kdr, made by \`kdr completion fish\`
function __kdr_path
  set -l path
  set -l isValue
  for word in (commandline -opc)[2..]
    if test -n "$isValue"
      set isValue
    else if contains -- $word ${[...valued].join(' ')}
      set isValue 1
    else if contains -- (string join -- ' ' $path $word) ${steps}
      set path $path $word
    end
  end
  string join -- ' ' $path
end
${[...commands, ...options].join('\n')}
`
}

function firstSentence({ description }: CommandNode): string {
  return description.split(/\.(?=\s|$)/)[0] ?? ''
}
