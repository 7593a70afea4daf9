package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// manifest is one object of a file.
type manifest struct {
	file   string
	object any
}

// kinds makes an empty object for what may stand in a file.
func kinds(apiVersion, kind string) any {
	switch apiVersion + " " + kind {
	case "v1 ServiceAccount":
		return &corev1.ServiceAccount{}
	case "v1 Secret":
		return &corev1.Secret{}
	case "v1 Service":
		return &corev1.Service{}
	case "v1 PersistentVolumeClaim":
		return &corev1.PersistentVolumeClaim{}
	case "apps/v1 Deployment":
		return &appsv1.Deployment{}
	case "apps/v1 StatefulSet":
		return &appsv1.StatefulSet{}
	case "batch/v1 CronJob":
		return &batchv1.CronJob{}
	case "policy/v1 PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}
	case "autoscaling/v2 HorizontalPodAutoscaler":
		return &autoscalingv2.HorizontalPodAutoscaler{}
	case "networking.k8s.io/v1 NetworkPolicy":
		return &networkingv1.NetworkPolicy{}
	default:
		return nil
	}
}

// checkKubernetes reads every manifest below a folder, each of its folders
// being one installation, and returns how many there are.
func checkKubernetes(folder string) (int, error) {
	byFolder := map[string][]manifest{}
	var errs []error
	n := 0
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" || d.Name() == "kustomization.yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found, err := decode(path, content)
		errs = append(errs, err)
		dir := filepath.Dir(path)
		byFolder[dir] = append(byFolder[dir], found...)
		n += len(found)
		return nil
	})
	for _, all := range byFolder {
		errs = append(errs, checkTogether(all))
	}
	if err == nil && n == 0 {
		err = fmt.Errorf("%s holds no manifest", folder)
	}
	return n, errors.Join(append(errs, err)...)
}

// checkRendered is checkKubernetes for files that hold an installation each.
func checkRendered(files []string) error {
	var errs []error
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		found, err := decode(file, content)
		errs = append(errs, err, checkTogether(found))
		if len(found) == 0 {
			errs = append(errs, fmt.Errorf("%s holds no manifest", file))
		}
	}
	return errors.Join(errs...)
}

// decode reads the objects of a file; a field that the type does not have, or
// that is there twice, is an error.
func decode(file string, content []byte) (found []manifest, err error) {
	var errs []error
	for _, doc := range regexp.MustCompile(`(?m)^---$`).Split(string(content), -1) {
		if len(bytes.TrimSpace([]byte(doc))) == 0 {
			continue
		}
		var t metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(doc), &t); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		object := kinds(t.APIVersion, t.Kind)
		if object == nil {
			errs = append(errs, fmt.Errorf("%s: %s %s is not known here", file, t.APIVersion, t.Kind))
			continue
		}
		if err := yaml.UnmarshalStrict([]byte(doc), object); err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", file, t.Kind, err))
			continue
		}
		found = append(found, manifest{file, object})
	}
	return found, errors.Join(errs...)
}

// checkTogether compares the objects of one installation with each other.
func checkTogether(all []manifest) error {
	var errs []error
	wrong := func(m manifest, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %T: %s", m.file, m.object, fmt.Sprintf(format, args...)))
	}
	pods := map[string]labels.Set{} // by the name of what makes them
	for _, m := range all {
		switch o := m.object.(type) {
		case *appsv1.Deployment:
			pods[o.Name] = o.Spec.Template.Labels
			checkServer(func(f string, a ...any) { wrong(m, f, a...) }, o.Spec.Selector, o.Spec.Template, nil)
		case *appsv1.StatefulSet:
			pods[o.Name] = o.Spec.Template.Labels
			checkServer(func(f string, a ...any) { wrong(m, f, a...) }, o.Spec.Selector, o.Spec.Template, o.Spec.VolumeClaimTemplates)
			if *o.Spec.Replicas != 1 {
				wrong(m, "one server at a time holds a data folder")
			}
		case *batchv1.CronJob:
			checkPod(func(f string, a ...any) { wrong(m, f, a...) }, o.Spec.JobTemplate.Spec.Template, nil)
		}
	}
	selects := func(m manifest, selector labels.Selector) {
		for _, of := range pods {
			if selector.Matches(of) {
				return
			}
		}
		wrong(m, "selects none of the pods")
	}
	for _, m := range all {
		switch o := m.object.(type) {
		case *corev1.Service:
			selects(m, labels.SelectorFromSet(o.Spec.Selector))
		case *policyv1.PodDisruptionBudget:
			selects(m, selectorOf(o.Spec.Selector))
		case *networkingv1.NetworkPolicy:
			selects(m, selectorOf(&o.Spec.PodSelector))
		case *autoscalingv2.HorizontalPodAutoscaler:
			if _, ok := pods[o.Spec.ScaleTargetRef.Name]; !ok {
				wrong(m, "scales %s, which is not there", o.Spec.ScaleTargetRef.Name)
			}
			for _, metric := range o.Spec.Metrics {
				if metric.Pods == nil || !exposed(metric.Pods.Metric.Name) {
					wrong(m, "goes by a metric that docs/OBSERVABILITY.md does not have")
				}
			}
		}
	}
	return errors.Join(errs...)
}

func selectorOf(s *metav1.LabelSelector) labels.Selector {
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return labels.Nothing()
	}
	return selector
}

// exposed reports whether Weir has a metric: its table is written from the code.
func exposed(metric string) bool {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "OBSERVABILITY.md"))
	return err == nil && strings.Contains(string(doc), "| `"+metric+"` |")
}

// checkServer is checkPod for what runs all the time.
func checkServer(wrong func(string, ...any), selector *metav1.LabelSelector, t corev1.PodTemplateSpec, claims []corev1.PersistentVolumeClaim) {
	if !selectorOf(selector).Matches(labels.Set(t.Labels)) {
		wrong("does not select its own pods")
	}
	checkPod(wrong, t, claims)
	for _, c := range t.Spec.Containers {
		for name, p := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
			if p == nil || p.HTTPGet == nil {
				wrong("%s has no %s probe", c.Name, name)
				continue
			}
			if want := map[bool]string{true: "/readyz", false: "/healthz"}[name == "readiness"]; p.HTTPGet.Path != want {
				wrong("its %s probe asks %s, not %s", name, p.HTTPGet.Path, want)
			}
		}
	}
}

// checkPod holds a pod to what this project asks of every one.
func checkPod(wrong func(string, ...any), t corev1.PodTemplateSpec, claims []corev1.PersistentVolumeClaim) {
	s := t.Spec
	if sc := s.SecurityContext; sc == nil || sc.RunAsNonRoot == nil || !*sc.RunAsNonRoot || sc.RunAsUser == nil || sc.SeccompProfile == nil {
		wrong("may run as root, or with any system call")
	}
	if s.AutomountServiceAccountToken == nil || *s.AutomountServiceAccountToken {
		wrong("gets a token of the cluster")
	}
	volumes := map[string]bool{}
	for _, v := range s.Volumes {
		volumes[v.Name] = true
	}
	for _, c := range claims {
		volumes[c.Name] = true
	}
	for _, c := range s.Containers {
		sc := c.SecurityContext
		if sc == nil || sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem || sc.AllowPrivilegeEscalation == nil ||
			*sc.AllowPrivilegeEscalation || sc.Capabilities == nil || len(sc.Capabilities.Drop) != 1 || sc.Capabilities.Drop[0] != "ALL" {
			wrong("%s may do more than it needs", c.Name)
		}
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			wrong("%s has no limit of memory, or asks for no processor", c.Name)
		}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				wrong("%s mounts %s, which is not there", c.Name, m.Name)
			}
		}
		for _, e := range c.Env {
			if e.Value != "" && (strings.HasSuffix(e.Name, "_KEY") || strings.HasSuffix(e.Name, "PASSWORD") || strings.HasSuffix(e.Name, "_URL")) {
				wrong("%s has a secret in its environment: %s", c.Name, e.Name)
			}
		}
	}
}
