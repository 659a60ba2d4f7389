package forge

import (
	"cmp"
	"regexp"
	"strconv"
)

// FromEnvironment takes of the environment what a job of CI is told about the pull request, and the token.
//
// Sources: GitHub's and Gitea's default variables (https://docs.github.com/actions/reference/workflows-and-actions/variables), GitLab's predefined variables
// (https://docs.gitlab.com/ci/variables/predefined_variables/), Gitee Go's parameters (https://help.gitee.com/gitee-go/pipeline/parameter).
func FromEnvironment(k Kind, getenv func(string) string) Target {
	t := Target{Kind: k, Token: getenv(k.TokenVariable())}
	switch k {
	case GitHub:
		t.API, t.Server, t.Repository = cmp.Or(getenv("GITHUB_API_URL"), "https://api.github.com"), getenv("GITHUB_SERVER_URL"), getenv("GITHUB_REPOSITORY")
		t.Number = pullOf(getenv("GITHUB_REF"))
	case Gitea:
		t.API, t.Repository = getenv("GITHUB_API_URL"), getenv("GITHUB_REPOSITORY")
		t.Number = pullOf(getenv("GITHUB_REF"))
	case GitLab:
		t.API, t.Repository = cmp.Or(getenv("CI_API_V4_URL"), "https://gitlab.com/api/v4"), getenv("CI_PROJECT_ID")
		t.Number, _ = strconv.Atoi(getenv("CI_MERGE_REQUEST_IID"))
	case Gitee:
		t.API = "https://gitee.com/api/v5"
		t.Number, _ = strconv.Atoi(getenv("GITEE_PULL_ID"))
	}
	return t
}

// Base is the commit or branch that the pull request is compared with, as far as CI says it; "" otherwise.
func Base(k Kind, getenv func(string) string) string {
	switch k {
	case GitLab:
		return getenv("CI_MERGE_REQUEST_DIFF_BASE_SHA")
	case Gitee:
		if getenv("GITEE_PULL_ID") != "" {
			return getenv("GITEE_COMMIT") // of the target branch
		}
	case GitHub, Gitea:
		if b := getenv("GITHUB_BASE_REF"); b != "" {
			return "origin/" + b
		}
	}
	return ""
}

var pullRef = regexp.MustCompile(`^refs/pull/([0-9]{1,9})/`)

func pullOf(ref string) int {
	if m := pullRef.FindStringSubmatch(ref); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	return 0
}
