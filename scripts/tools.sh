#!/bin/sh
# Checks that the tools named as arguments are there, and says how to install those that are not. Debian's names are given;
# other systems have packages of similar names.
missing=
packages=

need() {
  missing="$missing
  $1"
  packages="$packages $2"
}

for tool in "$@"; do
  case $tool in
    java)
      if ! command -v java >/dev/null 2>&1; then
        need "java (a JDK of version 17 or later: Kafka runs on it)" openjdk-17-jdk-headless
      else
        # `version "17.0.9"`, `version "21" 2023-09-19`; `1.8.0` counts as 1.
        version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
        if [ "${version:-0}" -lt 17 ]; then
          need "java 17 or later (this is ${version:-unknown}: $(command -v java))" openjdk-17-jdk-headless
        fi
      fi
      ;;
    mvn) command -v mvn >/dev/null 2>&1 || need "mvn (Maven: it fetches Kafka)" maven ;;
    node) command -v node >/dev/null 2>&1 || need "node (any version: the right one comes with \`npm ci\`)" nodejs ;;
    npm) command -v npm >/dev/null 2>&1 || need "npm" npm ;;
  esac
done

[ -z "$missing" ] && exit 0
echo "missing on this machine:$missing" >&2
echo "on Debian or Ubuntu: apt-get install$packages" >&2
exit 2
