"""The workflows for GitHub that `init` writes. They are those of the README, with its placeholders."""

from __future__ import annotations

PLAN = """\
name: Plan
on: pull_request
concurrency: {group: "plan-${{ github.ref }}", cancel-in-progress: true}
jobs:
  plan:
    runs-on: ubuntu-24.04
    permissions: {contents: read, pull-requests: write} # for the comment
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with: {fetch-depth: 0, persist-credentials: false}
      - uses: OWNER/REPO/.github/actions/reconcile@COMMIT
        with: {command: validate}
      - uses: OWNER/REPO/.github/actions/reconcile@COMMIT
        if: github.event.pull_request.head.repo.full_name == github.repository # a fork gets no secrets
        with: {command: plan, comment: true}
        env: {OPENAI_API_KEY: "${{ secrets.OPENAI_READ_KEY }}"}
"""
ACT = """\
name: Reconcile
on: {push: {branches: [main]}, schedule: [{cron: "*/15 * * * *"}], workflow_dispatch: {}}
concurrency: {group: "reconcile-${{ github.ref }}", cancel-in-progress: false}
jobs:
  act:
    if: github.ref == 'refs/heads/main' # a dispatch can name any branch
    environment: reconcile # contains the key, for main only
    runs-on: ubuntu-24.04
    permissions: {contents: write} # to push the statuses
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with: {fetch-depth: 0, persist-credentials: false}
      - uses: OWNER/REPO/.github/actions/reconcile@COMMIT
        with: {command: act}
        env: {OPENAI_API_KEY: "${{ secrets.OPENAI_API_KEY }}"}
"""
